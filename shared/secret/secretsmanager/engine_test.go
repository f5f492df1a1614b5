package secretsmanager_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager"
	"github.com/wecom-signin/wecom-signin/shared/secret/secrettest"
)

var version = strings.Repeat("1", 32)

// On an emulator the suite runs beside it, in infra/awsstack.
func TestSuiteOnAStandIn(t *testing.T) {
	secrettest.Run(t, func(*testing.T) secret.Store {
		return secretsmanager.New(secretsmanager.Config{Client: newStandIn()})
	})
}

// script answers calls in order with errors, nil for success, and notes the requests.
type script struct {
	secretsmanager.API
	errs   []error
	inputs []any
}

func (s *script) answer(input any) error {
	s.inputs = append(s.inputs, input)
	if len(s.inputs) > len(s.errs) {
		return errors.New("an unexpected call")
	}
	return s.errs[len(s.inputs)-1]
}

func (s *script) GetSecretValue(_ context.Context, input *sdk.GetSecretValueInput, _ ...func(*sdk.Options)) (*sdk.GetSecretValueOutput, error) {
	return &sdk.GetSecretValueOutput{SecretString: aws.String("one")}, s.answer(input)
}

func (s *script) CreateSecret(_ context.Context, input *sdk.CreateSecretInput, _ ...func(*sdk.Options)) (*sdk.CreateSecretOutput, error) {
	return &sdk.CreateSecretOutput{}, s.answer(input)
}

func (s *script) PutSecretValue(_ context.Context, input *sdk.PutSecretValueInput, _ ...func(*sdk.Options)) (*sdk.PutSecretValueOutput, error) {
	return &sdk.PutSecretValueOutput{}, s.answer(input)
}

func (s *script) DeleteSecret(_ context.Context, input *sdk.DeleteSecretInput, _ ...func(*sdk.Options)) (*sdk.DeleteSecretOutput, error) {
	return &sdk.DeleteSecretOutput{}, s.answer(input)
}

// The sentences are those of AWS.
var (
	scheduled = &types.InvalidRequestException{Message: aws.String(
		"You can't create this secret because a secret with this name is already scheduled for deletion.")}
	marked = &types.InvalidRequestException{Message: aws.String(
		"You can't perform this operation on the secret because it was marked for deletion.")}
	otherRequest = &types.InvalidRequestException{Message: aws.String("You can't do this on a replica.")}
	absent       = &types.ResourceNotFoundException{Message: aws.String("Secrets Manager can't find the specified secret.")}
	exists       = &types.ResourceExistsException{Message: aws.String("The operation failed because the secret already exists.")}
)

func TestRequestsAndErrors(t *testing.T) {
	get := func(s *secretsmanager.Store) error {
		_, err := s.Get(t.Context(), "name", secret.Current)
		return err
	}
	create := func(s *secretsmanager.Store) error {
		return s.Create(t.Context(), "name", version, secret.NewValue("one"))
	}
	put := func(s *secretsmanager.Store) error {
		return s.Put(t.Context(), "name", version, secret.NewValue("one"))
	}
	del := func(s *secretsmanager.Store) error { return s.Delete(t.Context(), "name") }
	name, token, value := aws.String("name"), aws.String(version), aws.String("one")
	createInput := &sdk.CreateSecretInput{Name: name, ClientRequestToken: token, SecretString: value, Description: aws.String("a description")}
	deleteInput := &sdk.DeleteSecretInput{SecretId: name, ForceDeleteWithoutRecovery: aws.Bool(true)}
	putInput := &sdk.PutSecretValueInput{SecretId: name, ClientRequestToken: token, SecretString: value}
	getInput := &sdk.GetSecretValueInput{SecretId: name, VersionStage: aws.String("AWSCURRENT")}

	tests := []struct {
		name    string
		do      func(*secretsmanager.Store) error
		answers []error
		want    error
		asked   []any
	}{
		{"get", get, []error{nil}, nil, []any{getInput}},
		{"get a version", func(s *secretsmanager.Store) error {
			_, err := s.Get(t.Context(), "name", version)
			return err
		}, []error{nil}, nil, []any{&sdk.GetSecretValueInput{SecretId: name, VersionId: token}}},
		{"get nothing", get, []error{absent}, secret.ErrNotFound, []any{getInput}},
		{"get what waits for deletion", get, []error{marked}, secret.ErrNotFound, []any{getInput}},
		{"get refused", get, []error{otherRequest}, otherRequest, []any{getInput}},
		{"get an impossible version", func(s *secretsmanager.Store) error {
			_, err := s.Get(t.Context(), "name", "v")
			return err
		}, nil, secret.ErrNotFound, nil},
		{"create", create, []error{nil}, nil, []any{createInput}},
		{"create what exists", create, []error{exists}, secret.ErrExists, []any{createInput}},
		{"create refused", create, []error{otherRequest}, otherRequest, []any{createInput}},
		{
			"create what waits for deletion", create,
			[]error{scheduled, nil, scheduled, absent, nil},
			nil,
			[]any{createInput, deleteInput, createInput, deleteInput, createInput},
		},
		{
			"create, and it cannot be deleted", create,
			[]error{scheduled, otherRequest},
			otherRequest,
			[]any{createInput, deleteInput},
		},
		{"put", put, []error{nil}, nil, []any{putInput}},
		{"put nowhere", put, []error{absent}, secret.ErrNotFound, []any{putInput}},
		{"put what waits for deletion", put, []error{marked}, secret.ErrNotFound, []any{putInput}},
		{"put a used version", put, []error{exists}, secret.ErrExists, []any{putInput}},
		{"delete", del, []error{nil}, nil, []any{deleteInput}},
		{"delete nothing", del, []error{absent}, nil, []any{deleteInput}},
		{"delete what waits for deletion", del, []error{marked}, nil, []any{deleteInput}},
		{"delete refused", del, []error{otherRequest}, otherRequest, []any{deleteInput}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			api := &script{errs: test.answers}
			err := test.do(secretsmanager.New(secretsmanager.Config{Client: api, Description: "a description"}))
			if !errors.Is(err, test.want) {
				t.Errorf("got %v; want %v", err, test.want)
			}
			ignore := cmpopts.IgnoreUnexported(sdk.CreateSecretInput{}, sdk.DeleteSecretInput{}, sdk.GetSecretValueInput{}, sdk.PutSecretValueInput{})
			if diff := cmp.Diff(test.asked, api.inputs, ignore); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCreateDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newStandIn()
		api.pending["name"] = time.Hour
		store := secretsmanager.New(secretsmanager.Config{Client: api})
		began := time.Now()
		err := store.Create(t.Context(), "name", version, secret.NewValue("one"))
		if took := time.Since(began); err == nil || took > 7*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		err = store.Create(ctx, "name", version, secret.NewValue("one"))
		if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != time.Second {
			t.Errorf("got %v after %v", err, took)
		}
	})
}

func TestBinarySecretIsAnError(t *testing.T) {
	api := newStandIn()
	api.binary = true
	store := secretsmanager.New(secretsmanager.Config{Client: api})
	if err := store.Create(t.Context(), "name", version, secret.NewValue("one")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Get(t.Context(), "name", secret.Current); err == nil || errors.Is(err, secret.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
