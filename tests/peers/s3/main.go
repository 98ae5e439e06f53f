// s3server ADDRESS BUCKET KEY SECRET: serves one bucket, in memory, to who signs with that key.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: s3server ADDRESS BUCKET KEY SECRET")
	}
	objects := s3mem.New()
	if err := objects.CreateBucket(context.Background(), os.Args[2]); err != nil {
		log.Fatal(err)
	}
	keys := map[string]string{os.Args[3]: os.Args[4]}
	log.Fatal(http.ListenAndServe(os.Args[1], gofakes3.New(objects, gofakes3.WithV4Auth(keys)).Server()))
}
