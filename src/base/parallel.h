#pragma once

namespace nacre {

/// How many threads share a piece of work: NACRE_THREADS (1 to 256) when that is set, else as many as there are cores.
/// No result depends on it.
unsigned worker_count();

}  // namespace nacre
