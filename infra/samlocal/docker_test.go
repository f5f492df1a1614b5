package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// docker returns the address of a Docker engine with an image for the functions: the
// one that is there, or one of the test's own, which ends with it.
func docker(t *testing.T) string {
	t.Helper()
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		host = "unix:///var/run/docker.sock"
	}
	if _, err := findDocker(t.Context(), host); err != nil {
		if os.Getenv("DOCKER_HOST") != "" {
			missing(t, err.Error())
		}
		host = startDocker(t)
	}
	d, err := findDocker(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	importImage(t, d)
	// Whatever a test does: no container of it stays.
	before := containers(t, d)
	t.Cleanup(func() {
		for _, id := range containers(t, d) {
			if !slices.Contains(before, id) {
				t.Errorf("container %s is left", id)
				d.do(t, http.MethodDelete, "/containers/"+id+"?force=1", http.NoBody)
			}
		}
	})
	return host
}

// startDocker starts a daemon that touches nothing outside a folder of its own but a
// bridge for its containers, which is its own too.
func startDocker(t *testing.T) string {
	t.Helper()
	daemon, err := exec.LookPath("dockerd")
	if err != nil || os.Getuid() != 0 {
		missing(t, "no Docker engine answers, and starting one takes root and dockerd (apt-get install docker.io)")
	}
	bridge := makeBridge(t)
	// Not the test's own folder: the path of a socket has at most 107 bytes.
	folder, err := os.MkdirTemp("/tmp", "sam")
	if err != nil {
		t.Fatal(err)
	}
	host := "unix://" + filepath.Join(folder, "docker.sock")
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.Background())
	service, err := startService("dockerd", program(ctx, os.Environ(), &log, daemon, "-H", host, "--bridge", bridge,
		"--data-root", filepath.Join(folder, "data"), "--exec-root", filepath.Join(folder, "exec"), "--pidfile", filepath.Join(folder, "pid"),
		// The functions talk to this machine only, so its firewall stays as it is.
		"--iptables=false", "--ip-masq=false", "--ip-forward=false"), cancel)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		service.stop()
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil || strings.Contains(string(mounts), folder) {
			t.Errorf("mounts are left below %s (%v)", folder, err)
			return // removing would go through them
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err := service.wait(t.Context(), time.Minute, func(ctx context.Context) error {
		_, err := findDocker(ctx, host)
		return err
	}); err != nil {
		service.stop()
		missing(t, fmt.Sprintf("dockerd does not start here: %v\n%s", err, log.String()))
	}
	return host
}

// bridgePrefix begins the name of a bridge; the process that made it is the rest.
const bridgePrefix = "samlocal"

// makeBridge makes a network for containers, which ends with the test, and returns its
// name: docker0 may be another engine's, or another checkout's.
func makeBridge(t *testing.T) string {
	t.Helper()
	ip := func(arguments ...string) error {
		output, err := exec.CommandContext(context.Background(), "ip", arguments...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w %s", strings.Join(arguments, " "), err, output)
		}
		return nil
	}
	// What tests left that were killed.
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		process, ours := strings.CutPrefix(i.Name, bridgePrefix)
		if _, err := os.Stat("/proc/" + process); ours && process != "" && errors.Is(err, fs.ErrNotExist) {
			if err := ip("link", "delete", i.Name); err != nil {
				t.Log(err)
			}
		}
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	// The first address of the first network that nobody here has.
	address := ""
	for third := range 256 {
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 213, byte(third), 1}), 24)
		if !slices.ContainsFunc(own, func(a net.Addr) bool {
			other, err := netip.ParsePrefix(a.String())
			return err == nil && network.Overlaps(other)
		}) {
			address = network.String()
			break
		}
	}
	name := bridgePrefix + strconv.Itoa(os.Getpid())
	if err := ip("link", "add", "name", name, "type", "bridge"); err != nil {
		missing(t, "a bridge for containers cannot be made: "+err.Error())
	}
	t.Cleanup(func() {
		if err := ip("link", "delete", name); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(ip("address", "add", address, "dev", name), ip("link", "set", name, "up")); err != nil {
		t.Fatal(err)
	}
	return name
}

// importImage makes the smallest image that can take the place of Lambda's own, which
// is only in a registry: SAM copies its emulator into it by a shell, and the programs
// are static. An image that is there is used as it is.
func importImage(t *testing.T, d *dockerEngine) {
	t.Helper()
	architecture, err := processor()
	if err != nil {
		t.Fatal(err)
	}
	const repository = "public.ecr.aws/lambda/provided"
	tag := "al2023-" + architecture
	if d.get(t.Context(), "/images/"+repository+":"+tag+"/json", nil) == nil {
		return
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		missing(t, "busybox is not there for a stand-in of Lambda's image (apt-get install busybox-static)")
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	var image bytes.Buffer
	archive := tar.NewWriter(&image)
	add := func(header tar.Header, content []byte) {
		header.Size = int64(len(content))
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"bin", "etc", "var", "var/task", "var/runtime", "opt", "proc", "sys", "dev"} {
		add(tar.Header{Typeflag: tar.TypeDir, Name: folder, Mode: 0o755}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp", Mode: 0o1777}, nil)
	add(tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, program)
	for _, name := range []string{"sh", "mv", "chmod"} {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\nsbx_user1051:x:993:990::/home/sbx_user1051:/bin/sh\n"))
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	d.do(t, http.MethodPost, "/images/create?"+url.Values{
		"fromSrc": {"-"}, "repo": {repository}, "tag": {tag},
		"platform": {"linux/" + map[string]string{"x86_64": "amd64", "arm64": "arm64"}[architecture]},
		"changes":  {"WORKDIR /var/task", "ENV LAMBDA_TASK_ROOT=/var/task PATH=/bin:/usr/bin TZ=:UTC"},
	}.Encode(), &image)
	t.Cleanup(func() {
		// Nobody must take it for the real one; nor what SAM made of it.
		for _, name := range []string{repository + ":" + tag, "public.ecr.aws/sam/emulation-provided.al2023:rapid-" + architecture} {
			d.do(t, http.MethodDelete, "/images/"+name+"?force=1", http.NoBody)
		}
	})
}

func (d *dockerEngine) do(t *testing.T, method, path string, body io.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, d.base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := d.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if said, err := io.ReadAll(response.Body); err != nil || response.StatusCode >= 300 && response.StatusCode != http.StatusNotFound {
		t.Fatalf("%s %s: %d %s %v", method, path, response.StatusCode, said, err)
	}
}

// containers returns the ids of all containers.
func containers(t *testing.T, d *dockerEngine) (ids []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all []struct{ ID string }
	if err := d.get(ctx, "/containers/json?all=1", &all); err != nil {
		t.Fatal(err)
	}
	for _, container := range all {
		ids = append(ids, container.ID)
	}
	return ids
}
