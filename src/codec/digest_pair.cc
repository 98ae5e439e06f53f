// The state has to be reached between two blocks, which only OpenSSL's older functions allow.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "codec/digest_pair.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace nacre::codec {
namespace {

constexpr std::size_t kBlock = 64;

#if defined(__x86_64__)

/// FIPS 180-4, 4.2.2.
alignas(16) constexpr std::uint32_t kRounds[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

bool has_instructions() {
  static const bool kHas = [] {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kSha = 1u << 29, kSse41 = 1u << 19;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kSse41) == 0) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & kSha) != 0;
  }();
  return kHas;
}

#define NACRE_SHA __attribute__((target("sha,sse4.1,ssse3"), always_inline)) inline

/// One of the two: its state in the order that the instructions want, and the last 16 words of its message schedule.
struct Lane {
  __m128i abef, cdgh, words[4];
};

NACRE_SHA void load(Lane& lane, const std::uint32_t* state) {
  const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state)), 0xb1);
  const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state + 4)), 0x1b);
  lane.abef = _mm_alignr_epi8(low, high, 8);
  lane.cdgh = _mm_blend_epi16(high, low, 0xf0);
}

NACRE_SHA void store(const Lane& lane, std::uint32_t* state) {
  const __m128i feba = _mm_shuffle_epi32(lane.abef, 0x1b), dchg = _mm_shuffle_epi32(lane.cdgh, 0xb1);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state), _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/// Four rounds of one lane, and what the schedule needs four rounds later.
template <int kStep>
NACRE_SHA void four_rounds(Lane& lane, const unsigned char* block) {
  constexpr int kNow = kStep % 4, kNext = (kStep + 1) % 4, kBefore = (kStep + 3) % 4;
  if constexpr (kStep < 4) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    lane.words[kNow] =
        _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block + 16 * kStep)), swap);
  }
  const __m128i sum =
      _mm_add_epi32(lane.words[kNow], _mm_load_si128(reinterpret_cast<const __m128i*>(kRounds + 4 * kStep)));
  lane.cdgh = _mm_sha256rnds2_epu32(lane.cdgh, lane.abef, sum);
  if constexpr (kStep >= 3 && kStep < 15) {
    const __m128i shifted = _mm_alignr_epi8(lane.words[kNow], lane.words[kBefore], 4);
    lane.words[kNext] = _mm_sha256msg2_epu32(_mm_add_epi32(lane.words[kNext], shifted), lane.words[kNow]);
  }
  lane.abef = _mm_sha256rnds2_epu32(lane.abef, lane.cdgh, _mm_shuffle_epi32(sum, 0x0e));
  if constexpr (kStep >= 1 && kStep < 13)
    lane.words[kBefore] = _mm_sha256msg1_epu32(lane.words[kBefore], lane.words[kNow]);
}

template <int kStep = 0>
NACRE_SHA void all_rounds(Lane& one, const unsigned char* a, Lane& two, const unsigned char* b) {
  four_rounds<kStep>(one, a);
  four_rounds<kStep>(two, b);
  if constexpr (kStep < 15) all_rounds<kStep + 1>(one, a, two, b);
}

__attribute__((target("sha,sse4.1,ssse3"))) void compress(std::uint32_t* first, const unsigned char* a,
                                                          std::uint32_t* second, const unsigned char* b,
                                                          std::size_t blocks) {
  Lane one, two;
  load(one, first);
  load(two, second);
  for (; blocks > 0; --blocks, a += kBlock, b += kBlock) {
    const __m128i abef1 = one.abef, cdgh1 = one.cdgh, abef2 = two.abef, cdgh2 = two.cdgh;
    all_rounds(one, a, two, b);
    one.abef = _mm_add_epi32(one.abef, abef1);
    one.cdgh = _mm_add_epi32(one.cdgh, cdgh1);
    two.abef = _mm_add_epi32(two.abef, abef2);
    two.cdgh = _mm_add_epi32(two.cdgh, cdgh2);
  }
  store(one, first);
  store(two, second);
}

#undef NACRE_SHA

#else

bool has_instructions() { return false; }
void compress(std::uint32_t*, const unsigned char*, std::uint32_t*, const unsigned char*, std::size_t) {}

#endif

/// Gives a stream what completes the block that it holds a part of; the rest of `bytes`.
std::string_view fill(SHA256_CTX& stream, std::string_view bytes) {
  const std::size_t missing = stream.num == 0 ? 0 : std::min(kBlock - stream.num, bytes.size());
  SHA256_Update(&stream, bytes.data(), missing);
  return bytes.substr(missing);
}

/// `blocks` whole blocks more are in the state.
void count(SHA256_CTX& stream, std::size_t blocks) {
  const std::uint64_t bits = (std::uint64_t{stream.Nh} << 32 | stream.Nl) + std::uint64_t{blocks} * kBlock * 8;
  stream.Nl = static_cast<SHA_LONG>(bits);
  stream.Nh = static_cast<SHA_LONG>(bits >> 32);
}

Sha256 digest_of(SHA256_CTX stream) {
  Sha256 out;
  SHA256_Final(reinterpret_cast<unsigned char*>(out.bytes.data()), &stream);
  return out;
}

}  // namespace

struct DigestPair::State {
  SHA256_CTX first, second;
};

DigestPair::DigestPair() : state_(std::make_unique<State>()) {
  SHA256_Init(&state_->first);
  SHA256_Init(&state_->second);
}
DigestPair::~DigestPair() = default;

void DigestPair::update_first(std::string_view bytes) { SHA256_Update(&state_->first, bytes.data(), bytes.size()); }
void DigestPair::update_second(std::string_view bytes) { SHA256_Update(&state_->second, bytes.data(), bytes.size()); }

void DigestPair::update_both(std::string_view bytes) {
  std::string_view first = bytes, second = bytes;
  if (has_instructions()) {
    first = fill(state_->first, first);
    second = fill(state_->second, second);
    const std::size_t blocks = std::min(first.size(), second.size()) / kBlock;
    if (blocks > 0) {
      compress(state_->first.h, reinterpret_cast<const unsigned char*>(first.data()), state_->second.h,
               reinterpret_cast<const unsigned char*>(second.data()), blocks);
      count(state_->first, blocks);
      count(state_->second, blocks);
      first.remove_prefix(blocks * kBlock);
      second.remove_prefix(blocks * kBlock);
    }
  }
  update_first(first);
  update_second(second);
}

Sha256 DigestPair::first() const { return digest_of(state_->first); }
Sha256 DigestPair::second() const { return digest_of(state_->second); }

Sha256 DigestPair::second_with(std::string_view more) const {
  SHA256_CTX stream = state_->second;
  SHA256_Update(&stream, more.data(), more.size());
  return digest_of(stream);
}

}  // namespace nacre::codec
