#pragma once

#include "base/sha256.h"

#include <memory>
#include <string_view>

namespace nacre::codec {

/// SHA-256 of two streams that for the most part get the same bytes: a file, and a part of it that goes to its end.
/// Where the processor has instructions for SHA-256 both take little more time than one: the rounds of one fill the
/// waiting times of the other.
class DigestPair {
 public:
  DigestPair();
  ~DigestPair();
  DigestPair(const DigestPair&) = delete;

  void update_first(std::string_view bytes);
  void update_second(std::string_view bytes);
  void update_both(std::string_view bytes);

  /// Of what came so far; more may follow.
  Sha256 first() const;
  Sha256 second() const;
  /// Of the second stream with `more` behind it.
  Sha256 second_with(std::string_view more) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace nacre::codec
