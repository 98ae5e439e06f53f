#include "store/bucket_answers.h"

#include <gtest/gtest.h>

namespace nacre::store {
namespace {

std::string page(std::string_view inside, std::string_view rest = "<IsTruncated>false</IsTruncated>") {
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><KeyCount>1</KeyCount>{}{}"
      "</ListBucketResult>",
      rest, inside);
}
std::string contents(std::string_view key, std::string_view size = "5",
                     std::string_view time = "2026-11-29T12:30:00.000Z") {
  return fmt::format("<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>&quot;x&quot;</ETag><Size>{}</Size>"
                     "<Owner><ID>1</ID></Owner></Contents>",
                     key, time, size);
}
std::string fault(std::string_view xml) {
  const auto read = read_object_page(xml);
  return read ? "none" : read.error().render();
}

TEST(BucketAnswers, ReadsAPage) {
  const ObjectPage read = read_object_page(page(contents("p/sha256/1") + contents("a&amp;b&#9;", "0"))).take();
  ASSERT_EQ(read.objects.size(), 2u);
  EXPECT_EQ(read.objects[0].key, "p/sha256/1");
  EXPECT_EQ(read.objects[0].size, 5u);
  EXPECT_EQ(read.objects[0].modified, 1795955400);
  EXPECT_EQ(read.objects[1].key, "a&b\t");
  EXPECT_EQ(read.next, "");
  const std::string more = "<NextContinuationToken>1/x+=</NextContinuationToken><IsTruncated>true</IsTruncated>";
  const ObjectPage first = read_object_page(page("", more)).take();
  EXPECT_EQ(first.next, "1/x+=");
  EXPECT_TRUE(read_object_page(page("")).take().objects.empty());
}

TEST(BucketAnswers, RefusesWhatIsNone) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "expected a list of objects (ListBucketResult)"},
      {"<html>welcome</html>", "expected a list of objects (ListBucketResult)"},
      {"<ListBucketResult>", "expected a list of objects (ListBucketResult)"},
      {"<!DOCTYPE x [<!ENTITY a \"aaaa\">]>" + page(contents("&a;")),
       "a list of objects has neither document type nor comments"},
      {page(contents("&lol;")), "a character is written in a way that is not understood"},
      {page(contents("&#0;")), "a character is written in a way that is not understood"},
      {page(contents("<b>")), "an element stands where text was expected"},
      {page(contents("k", "-1")), "the size of an object is no number"},
      {page(contents("k", "99999999999999999999")), "the size of an object is no number"},
      {page(contents("k", "5", "yesterday")), "expected a time such as 2026-11-29T12:30:00.000Z"},
      {page("<Contents><Size>5</Size></Contents>"), "the element 'Key' is missing"},
      {page("", ""), "the element 'IsTruncated' is missing"},
      {page("", "<IsTruncated>maybe</IsTruncated>"), "IsTruncated is neither true nor false"},
      {page("", "<IsTruncated>true</IsTruncated>"), "the element 'NextContinuationToken' is missing"},
      {page("", "<IsTruncated>true</IsTruncated><NextContinuationToken/>"),
       "there are more objects, but no way to ask for them"},
  };
  for (const auto& [xml, expected] : cases) EXPECT_EQ(fault(xml), expected) << xml;
  std::string many;
  for (std::size_t i = 0; i <= kMaxObjectsOnPage; ++i) many += contents("k");
  EXPECT_EQ(fault(page(many)), "more than 1000 objects on one page");
}

TEST(BucketAnswers, ReadsAnError) {
  EXPECT_EQ(read_s3_error("<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>It isn&apos;t "
                          "there</Message></Error>"),
            "NoSuchBucket: It isn't there");
  EXPECT_EQ(read_s3_error("<Error><Code>SlowDown</Code></Error>"), "SlowDown");
  EXPECT_EQ(read_s3_error("bad gateway"), "");
  EXPECT_EQ(read_s3_error("<Error><Code>a\x1b[2J\n</Code></Error>"), "a?[2J?");
  EXPECT_EQ(read_s3_error("<Error><Message>" + std::string(5000, 'x') + "</Message></Error>").size(), 300u);
}

}  // namespace
}  // namespace nacre::store
