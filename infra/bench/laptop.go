package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/sealedfile"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
)

const appOrigin = "http://localhost:9"

func authenticator(now time.Time) store.Authenticator {
	return store.Authenticator{
		ID: store.NewID(), Name: authenticatorName, Title: "Bench", Enabled: true,
		CorpID: corpID, AgentID: agentID, SecretVersion: strings.Repeat("1", 32),
		Origin: appOrigin, WorkbenchRedirectPath: "/", AutoSignup: true,
		Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, Version: 1,
	}
}

func member(i int) string { return fmt.Sprintf("member%07d", i) }

// user is a person who has signed in before.
func user(i int, now time.Time) store.User {
	return store.User{
		ID: store.NewUserID(now), Phone: fmt.Sprintf("+8613%09d", i), Name: fmt.Sprintf("Member %d", i),
		Avatar: "https://wework.qpic.cn/wwpic/000000_000000000000/0", Roles: []string{"member"}, Enabled: true,
		Identities: []store.Identity{{CorpID: corpID, WeComUserID: member(i), Authenticator: authenticatorName, BoundAt: now}},
		CreatedAt:  now, UpdatedAt: now, LastSignInAt: now, Version: 1,
	}
}

// writers is how many users are made at a time: the store writes those that wait
// together in one transaction.
const writers = 1000

// fill makes users.
func fill(ctx context.Context, engine interface {
	CreateUser(ctx context.Context, u store.User) error
}, count, writers int,
) error {
	var next atomic.Int64
	var group sync.WaitGroup
	failures := make(chan error, writers)
	now := time.Now().UTC()
	for range writers {
		group.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				if err := engine.CreateUser(ctx, user(i, now)); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return fmt.Errorf("make users: %w", err)
	default:
		return nil
	}
}

// prepare fills the folder of a local run with an authenticator and users.
func prepare(ctx context.Context, folder string, users int) error {
	engine, err := embedded.Open(embedded.Config{Path: filepath.Join(folder, "store.db")})
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	a := authenticator(now)
	err = errors.Join(engine.CreateAuthenticator(ctx, a), fill(ctx, engine, users, min(users, writers)), engine.Close())
	if err != nil {
		return err
	}
	secrets, err := sealedfile.Open(sealedfile.Config{Path: filepath.Join(folder, "secrets"), KeyPath: filepath.Join(folder, "secrets.key")})
	if err != nil {
		return err
	}
	return secrets.Create(ctx, "authenticators/"+a.ID, a.SecretVersion, secret.NewValue(appSecret))
}

// startLocal starts the program of `make run` on a prepared folder.
func (b *bench) startLocal(folder string) (_ *service, stop func() error, err error) {
	log, err := os.Create(filepath.Join(folder, "log")) //nolint:gosec // in a folder of ours
	if err != nil {
		return nil, nil, fmt.Errorf("make log: %w", err)
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(b.local) //nolint:gosec,noctx // the program that was just built; stop ends it
	command.Env = []string{"PORT=0", "DATA_DIR=" + folder, "WECOM_API_URL=" + b.weComURL, "WECOM_OAUTH_URL=" + b.weComURL, "WECOM_LOGIN_URL=" + b.weComURL}
	command.Stderr = log
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("start service: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, nil, fmt.Errorf("start service: %w", err)
	}
	stop = func() error {
		_ = command.Process.Signal(syscall.SIGTERM)
		return command.Wait()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, found := strings.CutPrefix(strings.TrimSpace(lines.Text()), "service"); found {
			go func() {
				for lines.Scan() { // so that the service never waits for a reader
				}
			}()
			pid := command.Process.Pid
			return &service{
				url: strings.TrimSpace(address), transport: connections(),
				used: meterOf(func() ([]int, error) { return []int{pid}, nil }),
			}, stop, nil
		}
	}
	return nil, nil, errors.Join(errors.New("the service did not start, see "+log.Name()), stop())
}
