// An S3 server for tests/flow/63_shared_state.sh: rclone's, which verifies signatures, over one bucket in memory.
module nacre/peers/s3

go 1.24.0

require github.com/rclone/gofakes3 v0.0.12
