package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// identity is whose credentials AWS was given.
type identity struct{ account, arn string }

// partition of an identity is the second part of its ARN.
func (i identity) partition() string {
	parts := strings.Split(i.arn, ":")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}

// guideConfig is what a guide needs.
type guideConfig struct {
	root   string // the repository
	lookup func(string) (string, bool)
	in     io.Reader
	out    io.Writer
	// identify asks AWS whose credentials are in use.
	identify func(ctx context.Context, region string) (identity, error)
	sam      sam
	// unattended asks nothing.
	unattended bool
	// stack may be empty.
	stack string
}

type guide struct {
	guideConfig
	asking    dialogue
	template  *cloudformation.Template
	usual     map[string]string
	samconfig string
}

func newGuide(cfg guideConfig) (*guide, error) {
	g := &guide{guideConfig: cfg, asking: dialogue{cfg.in, cfg.out}}
	var err error
	if g.template, err = cloudformation.ReadFile(filepath.Join(cfg.root, "template.yaml")); err != nil {
		return nil, err
	}
	if g.usual, err = usual(g.template); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(cfg.root, "samconfig.toml"))
	if err != nil {
		return nil, fmt.Errorf("read defaults of sam: %w", err)
	}
	g.samconfig = string(content)
	return g, nil
}

func (g *guide) say(format string, values ...any) { fmt.Fprintf(g.out, format, values...) }

// errStopped says that the operator chose to stop; it is no failure.
var errStopped = errors.New("nothing was deployed; the answers are kept")

// run goes from the first question to the next steps.
func (g *guide) run(ctx context.Context) error {
	a, err := g.answers(ctx)
	if err != nil {
		return err
	}
	if err := a.judge(g.template); err != nil {
		return fmt.Errorf("template.yaml refuses these answers: %w", err)
	}
	if !g.unattended {
		if err := a.keep(g.root, g.samconfig); err != nil {
			return err
		}
		g.say("\nThe answers are kept in %s. It is for your own repository; this one ignores it.\n", fileOf(a.stack))
	}
	build, deploy := g.sam.build(a), g.sam.deploy(a, g.unattended)
	g.say("\nThe next commands, which you could type yourself:\n\n  %s\n  %s\n", build, deploy)
	if !g.unattended {
		g.say("\nThe first one compiles the functions. The second one shows what would change and asks again.\n")
		goOn, err := g.asking.confirm("Build and deploy now? (y/n)", "y")
		if err != nil {
			return err
		}
		if !goOn {
			return errStopped
		}
	}
	for _, command := range []command{build, deploy} {
		g.say("\n$ %s\n", command)
		if err := g.sam.run(ctx, command); err != nil {
			if command.arguments[0] == "deploy" {
				g.say("\nIt was not deployed. A stack that was there before serves as before. After a first deployment\nthat failed, remove what is left before the next: docs/operations.md, \"If the first deployment fails\".\n")
			}
			return err
		}
	}
	outputs, err := g.sam.outputs(ctx, a)
	if err != nil {
		return fmt.Errorf("it is deployed, but its outputs could not be read: %w", err)
	}
	g.say("%s", nextSteps(a, outputs))
	return nil
}

// answers come from a person, or from what was kept.
func (g *guide) answers(ctx context.Context) (answers, error) {
	if g.unattended {
		return g.keptAnswers(ctx)
	}
	g.say(`This guide deploys WeCom Sign-in to AWS with AWS SAM. It asks what it has to know, shows and keeps the
answers, builds, deploys, and says what to do in WeCom's console. Nothing is changed before you say so.

You need credentials of an AWS account that may make CloudFormation stacks with IAM roles (aws configure,
aws sso login, or AWS_PROFILE), a region, and, for more than a first look, a domain of your company.

Enter takes the answer in [brackets], - empties it, ? explains, Ctrl-C stops.
`)
	stack, err := g.askStack()
	if err != nil {
		return answers{}, err
	}
	a, found, err := kept(g.root, stack)
	if err != nil {
		return answers{}, err
	}
	if found {
		a.parameters = g.complete(a.parameters)
		g.say("\nAnswers for this stack are kept in %s:\n", fileOf(stack))
		g.summary(a)
		asTheyAre, err := g.asking.confirm("Use them as they are? (y/n; n asks again, with these in brackets)", "y")
		if err != nil {
			return answers{}, err
		}
		if asTheyAre {
			return a, g.account(ctx, a.region)
		}
	} else {
		a = answers{stack: stack, region: g.usualRegion(), parameters: maps.Clone(g.usual)}
	}
	if a.region, err = g.asking.ask(regionQuestion(), a.region); err != nil {
		return answers{}, err
	}
	if err := g.account(ctx, a.region); err != nil {
		return answers{}, err
	}
	return g.askAll(a)
}

func (g *guide) askStack() (string, error) {
	usual := g.stack
	if usual == "" {
		sections, err := readConfig(g.samconfig)
		if err != nil {
			return "", fmt.Errorf("read samconfig.toml: %w", err)
		}
		if usual, err = textIn(sections[globalPart], "stack_name"); err != nil {
			return "", fmt.Errorf("read samconfig.toml: %w", err)
		}
		if names, err := keptStacks(g.root); err == nil && len(names) == 1 {
			usual = names[0]
		}
	}
	return g.asking.ask(stackQuestion(), usual)
}

func (g *guide) usualRegion() string {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region, _ := g.lookup(name); region != "" {
			return region
		}
	}
	return "ap-southeast-1"
}

// complete gives parameters that the template has got since then their usual values,
// and leaves out those that it has lost.
func (g *guide) complete(parameters map[string]string) map[string]string {
	complete := maps.Clone(g.usual)
	for name, value := range parameters {
		if _, known := complete[name]; known {
			complete[name] = value
		}
	}
	return complete
}

// keptAnswers is for a run without a person.
func (g *guide) keptAnswers(ctx context.Context) (answers, error) {
	stack := g.stack
	if stack == "" {
		names, err := keptStacks(g.root)
		if err != nil {
			return answers{}, err
		}
		if len(names) != 1 {
			return answers{}, fmt.Errorf("-yes needs the name of a stack: there are answers for %d (%s)", len(names), strings.Join(names, ", "))
		}
		stack = names[0]
	}
	if !stackName.MatchString(stack) {
		return answers{}, fmt.Errorf("%q is no name of a stack", stack)
	}
	a, found, err := kept(g.root, stack)
	if err != nil {
		return answers{}, err
	}
	if !found {
		return answers{}, fmt.Errorf("there is no %s: run it once without -yes", fileOf(stack))
	}
	if complete := g.complete(a.parameters); !maps.Equal(complete, a.parameters) {
		return answers{}, fmt.Errorf("%s does not have the parameters of this template.yaml: run it once without -yes", fileOf(stack))
	}
	g.summary(a)
	return a, g.account(ctx, a.region)
}

// account shows whose AWS it is, and refuses one that has no such region.
func (g *guide) account(ctx context.Context, region string) error {
	// Accounts are of one partition.
	partition := cloudformation.Partition(region)
	if partition == "aws-cn" {
		g.say("%s", chinaNote)
	}
	who, err := g.identify(ctx, region)
	if err != nil {
		return fmt.Errorf("AWS does not accept the credentials in %s (aws configure, aws sso login, AWS_PROFILE): %w", region, err)
	}
	if have := who.partition(); have != partition {
		return fmt.Errorf("these credentials are of partition %s, and %s is a region of %s: use credentials of an account there", have, region, partition)
	}
	g.say("\nAWS answers: account %s, region %s, partition %s,\n  as %s\n", who.account, region, partition, who.arn)
	return nil
}

// askAll asks about the parameters. Those that nobody is asked about stay.
func (g *guide) askAll(a answers) (answers, error) {
	before := a
	a.parameters = maps.Clone(a.parameters)
	if err := g.askOne(&a, architectureQuestion()); err != nil {
		return a, err
	}
	address, err := g.asking.ask(addressQuestion(), string(before.publicAddress()))
	if err != nil {
		return a, err
	}
	a.chosen = publicAddress(address)
	if err := g.askEach(&a, addressQuestions()); err != nil {
		return a, err
	}
	if err := g.askOne(&a, egressQuestion()); err != nil {
		return a, err
	}
	// Without a relay, before and now, these are not the guide's: they may be of a
	// WeCom of one's own.
	relay := egress("relay")(before) || egress("relay")(a)
	unchanged := egress("none")(before) && egress("none")(a)
	others := slices.DeleteFunc(otherQuestions(), func(q asked) bool {
		return q.parameter == "WeComApiUrl" && !relay || q.parameter == "EgressAddresses" && unchanged
	})
	if err := g.askEach(&a, others); err != nil {
		return a, err
	}
	g.say("\nThese are the answers:\n")
	g.summary(a)
	return a, nil
}

func (g *guide) askEach(a *answers, questions []asked) error {
	for _, q := range questions {
		if q.when != nil && !q.when(*a) {
			a.parameters[q.parameter] = g.usual[q.parameter]
			continue
		}
		if err := g.askOne(a, q); err != nil {
			return err
		}
	}
	return nil
}

func (g *guide) askOne(a *answers, q asked) error {
	own := q.check
	q.check = func(value string) error {
		if value == "" && q.needed {
			return errors.New("an answer is needed here")
		}
		if !accepts(g.template, q.parameter, value) {
			return fmt.Errorf("what is wanted is %s", strings.TrimSuffix(q.form, "."))
		}
		if _, err := quote(q.parameter, value); err != nil {
			return errDifferent
		}
		if value == "" {
			return nil
		}
		if q.against != nil {
			if err := q.against(value, *a); err != nil {
				return err
			}
		}
		if own == nil {
			return nil
		}
		return own(value)
	}
	value, err := g.asking.ask(q.question, a.parameters[q.parameter])
	if err != nil {
		return err
	}
	if _, known := g.usual[q.parameter]; !known {
		return fmt.Errorf("template.yaml has no parameter %s", q.parameter)
	}
	a.parameters[q.parameter] = value
	return nil
}

// summary shows what is not the template's own choice, and what is worth a look.
func (g *guide) summary(a answers) {
	g.say("\n  %-24s %s\n  %-24s %s\n", "stack", a.stack, "region", a.region)
	for _, name := range slices.Sorted(maps.Keys(a.parameters)) {
		value := a.parameters[name]
		switch value {
		case "":
			continue
		case g.usual[name]:
			if name == "NatGateways" && !egress("nat", "nat-closing")(a) {
				continue
			}
			value += "  (usual)"
		}
		g.say("  %-24s %s\n", name, value)
	}
}
