package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/sealedfile"
)

func TestSigningKeysOutliveARestart(t *testing.T) {
	folder := t.TempDir()
	var first string
	for start := range 2 {
		engine, closeStore, err := openStore(folder, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		secrets, err := sealedfile.Open(sealedfile.Config{Path: filepath.Join(folder, "secrets"), KeyPath: filepath.Join(folder, "secrets.key")})
		if err != nil {
			t.Fatal(err)
		}
		s := &service{store: engine, secrets: secrets}
		if err := s.makeSigningKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		value, err := secrets.Get(t.Context(), signingKeysSecret, secret.Current)
		if err != nil {
			t.Fatal(err)
		}
		set, err := keys.Decode(value.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if start == 0 {
			first = set.Current.ID()
		} else if set.Current.ID() != first {
			t.Error("kept keys were replaced")
		}
		want, err := keys.Public(set)
		if err != nil {
			t.Fatal(err)
		}
		if published, err := engine.PublicKeys(t.Context()); err != nil || string(published.Document) != string(want) {
			t.Errorf("published %s, %v", published.Document, err)
		}
		if err := closeStore(); err != nil {
			t.Fatal(err)
		}
	}
}
