package sealedfile

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

const (
	header  = "wecom-signin sealed secrets 1\n"
	keySize = 32
)

// Config is what Open needs.
type Config struct {
	// Path is the sealed file.
	Path string
	// KeyPath is the key file, mode 0600. It may be in another folder.
	KeyPath string
}

// Store keeps secrets in a sealed file. It is safe for concurrent use by one process.
type Store struct {
	path   string
	sealer cipher.AEAD

	mu      sync.RWMutex
	entries map[string]entry // replaced by a write, never changed
}

var _ secret.Store = (*Store)(nil)

// Format hides the secrets from fmt.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "sealed file "+s.path) }

// entry is one secret. Its map never changes after it was put into entries.
type entry struct {
	Current  string            `json:"current"`
	Versions map[string]string `json:"versions"`
}

// Open opens the file, or starts with no secrets if it does not exist. It creates missing
// folders and the key file, but no new key for an existing file.
func Open(cfg Config) (*Store, error) {
	for _, path := range []string{cfg.Path, cfg.KeyPath} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("make folder for secrets: %w", err)
		}
	}
	sealed, err := os.ReadFile(cfg.Path)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read sealed secrets: %w", err)
	}
	sealer, err := openKey(cfg, exists)
	if err != nil {
		return nil, err
	}
	s := &Store{path: cfg.Path, sealer: sealer, entries: make(map[string]entry)}
	if exists {
		if s.entries, err = s.unseal(sealed); err != nil {
			return nil, fmt.Errorf("open sealed secrets %s with the key file %s: %w", cfg.Path, cfg.KeyPath, err)
		}
	}
	return s, nil
}

func openKey(cfg Config, sealedExists bool) (cipher.AEAD, error) {
	info, err := os.Stat(cfg.KeyPath)
	switch {
	case errors.Is(err, fs.ErrNotExist) && sealedExists:
		return nil, fmt.Errorf("the key file %s is missing, and %s cannot be opened without it: "+
			"bring the key file back, or remove %[2]s to begin without secrets", cfg.KeyPath, cfg.Path)
	case errors.Is(err, fs.ErrNotExist):
		fresh := make([]byte, keySize)
		_, _ = rand.Read(fresh) // crypto/rand never fails: it ends the process instead
		if err := replaceFile(cfg.KeyPath, []byte(hex.EncodeToString(fresh)+"\n")); err != nil {
			return nil, fmt.Errorf("make key file: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("read key file: %w", err)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("the key file %s can be read by others (mode %04o): chmod 600", cfg.KeyPath, info.Mode().Perm())
	}
	text, err := os.ReadFile(cfg.KeyPath)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	key := make([]byte, keySize)
	text = bytes.TrimSpace(text)
	if hex.DecodedLen(len(text)) != keySize {
		return nil, fmt.Errorf("the key file %s does not hold 32 bytes in hex", cfg.KeyPath)
	}
	// The decoder's error would quote a byte of the key.
	if _, err := hex.Decode(key, text); err != nil {
		return nil, fmt.Errorf("the key file %s does not hold 32 bytes in hex", cfg.KeyPath)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("use key file: %w", err)
	}
	return cipher.NewGCM(block)
}

// Get implements secret.Store.
func (s *Store) Get(_ context.Context, name, version string) (secret.Value, error) {
	s.mu.RLock()
	found := s.entries[name]
	s.mu.RUnlock()
	if version == secret.Current {
		version = found.Current
	}
	content, ok := found.Versions[version]
	if !ok {
		return secret.Value{}, fmt.Errorf("get secret %q: %w", name, secret.ErrNotFound)
	}
	return secret.NewValue(content), nil
}

// Create implements secret.Store. Repeating it with the same version and value succeeds,
// as in Secrets Manager.
func (s *Store) Create(_ context.Context, name, version string, value secret.Value) error {
	return s.write("create", name, version, value, func(found entry, exists bool) error {
		if exists && found.Versions[version] != value.Reveal() {
			return secret.ErrExists
		}
		return nil
	})
}

// Put implements secret.Store. A version that exists with the same value does not become
// the newest again, as in Secrets Manager.
func (s *Store) Put(_ context.Context, name, version string, value secret.Value) error {
	return s.write("put", name, version, value, func(found entry, exists bool) error {
		if !exists {
			return secret.ErrNotFound
		}
		if content, used := found.Versions[version]; used && content != value.Reveal() {
			return secret.ErrExists
		}
		return nil
	})
}

func (s *Store) write(verb, name, version string, value secret.Value, check func(entry, bool) error) error {
	if err := secret.CheckWrite(name, version, value); err != nil {
		return fmt.Errorf("%s secret: %w", verb, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, exists := s.entries[name]
	if err := check(found, exists); err != nil {
		return fmt.Errorf("%s secret %q: %w", verb, name, err)
	}
	if _, written := found.Versions[version]; written {
		return nil
	}
	next := entry{Current: version, Versions: map[string]string{version: value.Reveal()}}
	maps.Copy(next.Versions, found.Versions)
	entries := maps.Clone(s.entries)
	entries[name] = next
	return s.save(entries)
}

// Delete implements secret.Store.
func (s *Store) Delete(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.entries[name]; !exists {
		return nil
	}
	entries := maps.Clone(s.entries)
	delete(entries, name)
	return s.save(entries)
}

// save writes entries to the file and then to s. The caller holds mu.
func (s *Store) save(entries map[string]entry) error {
	sealed, err := s.seal(entries)
	if err != nil {
		return fmt.Errorf("seal secrets: %w", err)
	}
	err = replaceFile(s.path, sealed)
	if err == nil || errors.Is(err, errNotSynced) {
		s.entries = entries // the content of the file now
	}
	if err != nil {
		return fmt.Errorf("write sealed secrets: %w", err)
	}
	return nil
}

func (s *Store) seal(entries map[string]entry) ([]byte, error) {
	clear, err := json.Marshal(entries)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, s.sealer.NonceSize())
	_, _ = rand.Read(nonce)
	sealed := append([]byte(header), nonce...)
	return s.sealer.Seal(sealed, nonce, clear, []byte(header)), nil
}

func (s *Store) unseal(sealed []byte) (map[string]entry, error) {
	rest, ok := bytes.CutPrefix(sealed, []byte(header))
	if !ok || len(rest) < s.sealer.NonceSize() {
		return nil, errors.New("it is not a file of sealed secrets, or of a later format")
	}
	nonce, rest := rest[:s.sealer.NonceSize()], rest[s.sealer.NonceSize():]
	clear, err := s.sealer.Open(nil, nonce, rest, []byte(header))
	if err != nil {
		return nil, errors.New("the key does not fit, or the file is damaged")
	}
	entries := make(map[string]entry)
	if json.Unmarshal(clear, &entries) != nil { // its error would quote the text
		return nil, errors.New("the content is no JSON")
	}
	return entries, nil
}

// errNotSynced: the file was replaced, but a power cut may bring the old one back.
var errNotSynced = errors.New("folder not synced")

// replaceFile writes a file, mode 0600, of which readers see the old or the new content,
// whole.
func replaceFile(path string, content []byte) error {
	next := path + ".new"
	// A file that a killed process left behind may have another mode.
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(next, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(next))
	}
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return errors.Join(errNotSynced, err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return errors.Join(errNotSynced, err)
	}
	return nil
}
