#include "apk/index_record.h"
#include "base/text.h"
#include "solve/solve.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

// The bytes are a line of atoms, then the text of an index. What is answered must hold when it is asked for alone, and
// the pool must be the same when it comes back from its bytes; the bytes as a pool must be read or refused.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace nacre;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::uint64_t> aligned(size / 8 + 1);
  if (size > 0) std::memcpy(aligned.data(), data, size);
  if (const auto pool = solve::Pool::from_bytes({reinterpret_cast<const char*>(aligned.data()), size}))
    for (const solve::PoolName& name : pool->names()) (void)pool->find(pool->text(name.text));

  const std::size_t cut = std::min(text.find('\n'), text.size());
  const auto records = apk::parse_index(text.substr(std::min(cut + 1, text.size())), "fuzz");
  if (!records || records->size() > 200) return 0;
  solve::World world;
  world.atoms = split_words(text.substr(0, cut));
  if (world.atoms.size() > 50) return 0;
  solve::Pool pool;
  for (const apk::IndexRecord& record : *records) pool.add(record, 0);
  pool.finish();
  for (const auto choice : {solve::Options::Choice::kApk, solve::Options::Choice::kApko}) {
    solve::Options options;
    options.choice = choice;
    const auto answer = solve::answer(world, pool, {{"fuzz", 0}}, options);
    if (!answer) continue;
    if (const auto* refusal = std::get_if<solve::Refusal>(&*answer)) (void)refusal->error().render();
  }
  return 0;
}
