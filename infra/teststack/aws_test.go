package teststack_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/teststack"
)

const moduleRoot = "../.."

// A rotation begins with a version that has no value and takes one once, as on AWS:
// tests of rotations rely on it.
func TestRotationBeginsWithoutValue(t *testing.T) {
	t.Parallel()
	cloud := teststack.StartAWS(t, moduleRoot)
	client := secretsmanager.NewFromConfig(cloud.SDK())
	old, name := strings.Repeat("0", 32), aws.String("rotated")
	if _, err := client.CreateSecret(t.Context(), &secretsmanager.CreateSecretInput{
		Name: name, ClientRequestToken: &old, SecretString: aws.String("old"),
	}); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{strings.Repeat("1", 32), strings.Repeat("2", 32)} {
		teststack.BeginRotation(t, cloud, *name, token)
		described, err := client.DescribeSecret(t.Context(), &secretsmanager.DescribeSecretInput{SecretId: name})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"AWSPENDING"}, described.VersionIdsToStages[token]); diff != "" {
			t.Error(diff)
		}
		_, err = client.GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: name, VersionId: &token})
		if _, absent := errors.AsType[*types.ResourceNotFoundException](err); !absent {
			t.Errorf("its value: %v", err)
		}
		put := func(value string) error {
			_, err := client.PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{
				SecretId: name, ClientRequestToken: &token, SecretString: &value, VersionStages: []string{"AWSPENDING"},
			})
			return err
		}
		if err := put("new"); err != nil {
			t.Error(err)
		}
		if _, exists := errors.AsType[*types.ResourceExistsException](put("another")); !exists {
			t.Error("the version took another value")
		}
		if _, err := client.UpdateSecretVersionStage(t.Context(), &secretsmanager.UpdateSecretVersionStageInput{
			SecretId: name, VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: &old, MoveToVersionId: &token,
		}); err != nil {
			t.Error(err)
		}
		old = token
	}
}
