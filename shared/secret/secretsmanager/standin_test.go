package secretsmanager_test

import (
	"context"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager"
)

// standIn does what the documentation of AWS says of the four calls, request tokens
// included.
type standIn struct {
	mu      sync.Mutex
	secrets map[string]*standInSecret
	pending map[string]time.Duration // names that AWS holds back, and for how long still
	binary  bool
}

type standInSecret struct {
	current  string
	versions map[string]string
}

var _ secretsmanager.API = (*standIn)(nil)

func newStandIn() *standIn {
	return &standIn{secrets: make(map[string]*standInSecret), pending: make(map[string]time.Duration)}
}

func (s *standIn) GetSecretValue(_ context.Context, input *sdk.GetSecretValueInput, _ ...func(*sdk.Options)) (*sdk.GetSecretValueOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.secrets[*input.SecretId]
	if !ok {
		return nil, absent
	}
	version := found.current
	if input.VersionId != nil {
		version = *input.VersionId
	}
	content, ok := found.versions[version]
	if !ok {
		return nil, absent
	}
	if s.binary {
		return &sdk.GetSecretValueOutput{SecretBinary: []byte(content)}, nil
	}
	return &sdk.GetSecretValueOutput{SecretString: &content}, nil
}

func (s *standIn) CreateSecret(_ context.Context, input *sdk.CreateSecretInput, _ ...func(*sdk.Options)) (*sdk.CreateSecretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pending[*input.Name] > 0 {
		return nil, scheduled
	}
	if found, ok := s.secrets[*input.Name]; ok {
		if found.versions[*input.ClientRequestToken] == *input.SecretString {
			return &sdk.CreateSecretOutput{}, nil
		}
		return nil, exists
	}
	s.secrets[*input.Name] = &standInSecret{
		current:  *input.ClientRequestToken,
		versions: map[string]string{*input.ClientRequestToken: *input.SecretString},
	}
	return &sdk.CreateSecretOutput{}, nil
}

func (s *standIn) PutSecretValue(_ context.Context, input *sdk.PutSecretValueInput, _ ...func(*sdk.Options)) (*sdk.PutSecretValueOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.secrets[*input.SecretId]
	if !ok {
		return nil, absent
	}
	if content, used := found.versions[*input.ClientRequestToken]; used {
		if content == *input.SecretString {
			return &sdk.PutSecretValueOutput{}, nil
		}
		return nil, exists
	}
	found.current = *input.ClientRequestToken
	found.versions[found.current] = *input.SecretString
	return &sdk.PutSecretValueOutput{}, nil
}

func (s *standIn) DeleteSecret(_ context.Context, input *sdk.DeleteSecretInput, _ ...func(*sdk.Options)) (*sdk.DeleteSecretOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.secrets, *input.SecretId)
	return &sdk.DeleteSecretOutput{}, nil // forced: it succeeds without a secret, too
}
