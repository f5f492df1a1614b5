package store

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// sortable is the base32 alphabet whose characters sort as their values do.
var sortable = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewUserID returns an id that sorts by creation (to the millisecond) and whose last 80
// bits are random: 26 lower-case letters and digits.
func NewUserID(now time.Time) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16)
	_, _ = rand.Read(id[6:]) // crypto/rand never fails: it ends the process instead
	return sortable.EncodeToString(id[:])
}

// firstID returns the lowest id of a time.
func firstID(at time.Time) string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16)
	return sortable.EncodeToString(id[:])
}

// timeOfID returns when an id of NewUserID or firstID was made.
func timeOfID(id string) (time.Time, error) {
	decoded, err := sortable.DecodeString(id)
	if err != nil || len(decoded) != 16 || sortable.EncodeToString(decoded) != id {
		return time.Time{}, fmt.Errorf("%q is not a sortable id", id)
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(decoded) >> 16)).UTC(), nil
}

// NewID returns 128 random bits as 26 lower-case letters and digits.
func NewID() string { return strings.ToLower(rand.Text()) }
