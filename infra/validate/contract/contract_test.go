package contract_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/validate/contract"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// The tables that the tests of the code run against are those of the contract.
func TestTables(t *testing.T) {
	for id, input := range map[string]struct{ keys []string }{
		"DirectoryTable": {[]string{"pk", "sk"}}, "TransientTable": {[]string{"pk"}},
	} {
		described := dynamotest.Describe(id, input.keys...)
		kinds := map[string]string{}
		for _, attribute := range described.AttributeDefinitions {
			kinds[*attribute.AttributeName] = string(attribute.AttributeType)
		}
		keys := func(schema []types.KeySchemaElement) []string {
			var keys []string
			for _, key := range schema {
				keys = append(keys, *key.AttributeName+" "+kinds[*key.AttributeName])
			}
			return keys
		}
		got := contract.Table{Keys: keys(described.KeySchema), TimeToLive: contract.Tables()[id].TimeToLive}
		for _, index := range described.GlobalSecondaryIndexes {
			if got.Indexes == nil {
				got.Indexes = map[string][]string{}
			}
			got.Indexes[*index.IndexName] = keys(index.KeySchema)
			if diff := cmp.Diff([]string{contract.Attempt}, index.Projection.NonKeyAttributes); diff != "" {
				t.Errorf("%s: %s", *index.IndexName, diff)
			}
		}
		if diff := cmp.Diff(contract.Tables()[id], got); diff != "" {
			t.Errorf("%s: contract (-) and tests (+):\n%s", id, diff)
		}
	}
}
