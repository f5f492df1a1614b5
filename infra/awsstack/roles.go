package awsstack

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/awsstack/permissions"
)

// authorizations is GetAccountAuthorizationDetails of IAM. Documents are escaped.
type authorizations struct {
	Roles []struct {
		Name     string `xml:"RoleName"`
		Trust    string `xml:"AssumeRolePolicyDocument"`
		Policies []struct {
			Name     string `xml:"PolicyName"`
			Document string `xml:"PolicyDocument"`
		} `xml:"RolePolicyList>member"`
		Managed  []string `xml:"AttachedManagedPolicies>member>PolicyArn"`
		Boundary []string `xml:"PermissionsBoundary>PermissionsBoundaryArn"`
	} `xml:"GetAccountAuthorizationDetailsResult>RoleDetailList>member"`
	Users  []string `xml:"GetAccountAuthorizationDetailsResult>UserDetailList>member>Arn"`
	Groups []string `xml:"GetAccountAuthorizationDetailsResult>GroupDetailList>member>Arn"`
}

// Permissions reads the roles of the account and the functions of its only stack.
func (s *Stack) Permissions(t testing.TB) permissions.Deployed {
	t.Helper()
	iam := func(action string, fields url.Values) Answer { return s.Query(t, "iam", "2010-05-08", action, fields) }
	var found authorizations
	if err := xml.Unmarshal(iam("GetAccountAuthorizationDetails", nil), &found); err != nil {
		t.Fatal(err)
	}
	own := iam("ListPolicies", url.Values{"Scope": {"Local"}}).Values(t, "PolicyName")
	d := permissions.Deployed{
		Functions: map[string]permissions.Function{}, Roles: map[string]permissions.Documents{},
		Beside: append(append(own, found.Users...), found.Groups...),
	}
	for _, role := range found.Roles {
		documents := permissions.Documents{Trust: unescape(t, role.Trust), Inline: map[string]string{}, Managed: append(role.Managed, role.Boundary...)}
		for _, policy := range role.Policies {
			documents.Inline[policy.Name] = unescape(t, policy.Document)
		}
		d.Roles[role.Name] = documents
	}
	for logical, physical := range s.Resources(t) {
		d.Network = d.Network || strings.HasPrefix(physical, "vpc-")
		if strings.HasSuffix(logical, "Function") {
			d.Functions[logical] = s.function(t, physical)
		}
	}
	return d
}

func (s *Stack) function(t testing.TB, name string) permissions.Function {
	t.Helper()
	path := "/2015-03-31/functions/" + name
	var shown struct {
		Role          string
		LoggingConfig struct{ LogGroup string }
		VpcConfig     struct{ SubnetIDs []string }
	}
	s.Call(t, "lambda", http.MethodGet, path+"/configuration", "", nil).Decode(t, &shown)
	function := permissions.Function{LogGroup: shown.LoggingConfig.LogGroup, Connected: len(shown.VpcConfig.SubnetIDs) > 0}
	var sources struct {
		EventSourceMappings []struct{ FunctionArn, EventSourceArn string }
	}
	s.Call(t, "lambda", http.MethodGet, "/2015-03-31/event-source-mappings", "", nil).Decode(t, &sources)
	for _, source := range sources.EventSourceMappings {
		if strings.HasSuffix(source.FunctionArn, ":function:"+name) {
			function.Queue = source.EventSourceArn
		}
	}
	_, function.Role, _ = strings.Cut(shown.Role, ":role/")
	// A policy without a statement is none, which AWS would not show.
	if policies := s.Call(t, "lambda", http.MethodGet, path+"/policy", "", nil).Values(t, "Policy"); len(policies) > 0 && strings.Contains(policies[0], `"Principal"`) {
		function.Invokers = policies[0]
	}
	return function
}

func unescape(t testing.TB, document string) string {
	t.Helper()
	plain, err := url.QueryUnescape(document)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// Calls returns every permission that a role was asked for so far, allowed or not, by
// the role's name. Only an account that enforces IAM knows.
func (a *Account) Calls(t testing.TB) map[string][]permissions.Call {
	t.Helper()
	file, err := os.Open(filepath.Join(a.folder, "permissions.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	calls := map[string][]permissions.Call{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var call struct {
			Role string
			permissions.Call
		}
		if err := json.Unmarshal(lines.Bytes(), &call); err != nil {
			t.Fatal(err)
		}
		calls[call.Role] = append(calls[call.Role], call.Call)
	}
	return calls
}
