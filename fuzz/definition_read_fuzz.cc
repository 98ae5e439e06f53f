#include "definition/definition.h"

#include <cstddef>
#include <cstdint>

namespace {

using namespace nacre;

/// Gives the text under test as every pipeline, too.
class Itself final : public definition::PipelineSource {
 public:
  explicit Itself(std::shared_ptr<const codec::YamlTree> tree) : tree_(std::move(tree)) {}
  Result<std::shared_ptr<const codec::YamlTree>> pipeline(std::string_view) override {
    return tree_;
  }

 private:
  std::shared_ptr<const codec::YamlTree> tree_;
};

}  // namespace

/// The definition and the pipeline that it uses, parted by a line "%%".
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find("\n%%\n");
  auto tree = codec::parse_yaml(text.substr(0, cut), "fuzz");
  if (!tree) return 0;
  auto other = codec::parse_yaml(cut == std::string::npos ? "" : text.substr(cut + 4), "pipeline");
  if (!other) return 0;
  Itself pipelines(std::make_shared<const codec::YamlTree>(*std::move(other)));
  const auto out = definition::read_definition(
      std::make_shared<const codec::YamlTree>(*std::move(tree)), pipelines, {});
  if (out)
    for (const auto& step : out->pipeline) (void)definition::step_script(step, "/home/build");
  return 0;
}
