package permissions

import (
	"slices"
	"strings"
)

// logActions are what Lambda itself does with a function's role to write its log.
var logActions = []string{"logs:CreateLogStream", "logs:PutLogEvents"}

// queueActions are what Lambda itself does with a function's role to take messages from
// its queue.
var queueActions = []string{"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}

// Compare returns what a role has too little and too much for the recorded calls of
// its function, and for Lambda to write into the function's log group and to take messages
// from its queue.
func Compare(role Role, calls []Call, families Families, function Function) []string {
	var faults []string
	used := map[Grant]bool{}
	for _, call := range calls {
		for _, grant := range call.Grants(families) {
			used[grant] = true
			if !role.Allows(call) {
				faults = append(faults, "too little: "+grant.String())
			}
		}
	}
	seen, logging, taking := map[Grant]bool{}, map[string]bool{}, map[string]bool{}
	for _, grant := range role.Grants() {
		ownLog := slices.Contains(logActions, grant.Action) && strings.HasSuffix(grant.Resource, ":log-group:"+function.LogGroup+":*")
		ownQueue := slices.Contains(queueActions, grant.Action) && function.Queue != "" && grant.Resource == function.Queue
		switch {
		case seen[grant]:
			faults = append(faults, "twice: "+grant.String())
		case ownLog:
			logging[grant.Action] = true
		case ownQueue:
			taking[grant.Action] = true
		case !used[grant]:
			faults = append(faults, "too much: "+grant.String())
		}
		seen[grant] = true
	}
	for _, action := range logActions {
		if !logging[action] {
			faults = append(faults, "too little: "+action+" of the log group "+function.LogGroup)
		}
	}
	for _, action := range queueActions {
		if function.Queue != "" && !taking[action] {
			faults = append(faults, "too little: "+action+" of the queue "+function.Queue)
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

// Allows reports whether IAM would let the call through. Like IAM it wants all keys of
// a call in one statement.
func (r Role) Allows(c Call) bool {
	return slices.ContainsFunc(r.Statements, func(s Statement) bool {
		return slices.Contains(s.Actions, c.Action) &&
			slices.ContainsFunc(s.Resources, func(pattern string) bool { return matches(pattern, c.Resource) }) &&
			(s.Keys == nil || len(c.Keys) > 0 && !slices.ContainsFunc(c.Keys, func(key string) bool {
				return !slices.ContainsFunc(s.Keys, func(pattern string) bool { return matches(pattern, key) })
			}))
	})
}
