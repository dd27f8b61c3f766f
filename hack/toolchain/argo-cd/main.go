// Argo CD without its images: application controller, repo server and the cache between them in one program, which
// ARGOCD_BINARY_NAME tells what to be. Built by hack/toolchain/argo-cd.ts, started by test/support/e2e/argo-cd.ts.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/alicebob/miniredis/v2"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/klog/v2"
	"sigs.k8s.io/yaml"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	reposerver "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/log"
	"github.com/argoproj/argo-cd/v3/util/lua"
)

var roles = map[string]func() *cobra.Command{
	"argocd-application-controller": controller.NewCommand,
	"argocd-repo-server":            reposerver.NewCommand,
	"argocd-redis":                  redis,
	"argocd-health":                 health,
}

func main() {
	klog.SetLogger(log.NewLogrusLogger(log.NewWithCurrentConfig()))
	role, ok := roles[os.Getenv("ARGOCD_BINARY_NAME")]
	if !ok {
		fmt.Fprintf(os.Stderr, "ARGOCD_BINARY_NAME is %q, which is no role of this program\n", os.Getenv("ARGOCD_BINARY_NAME"))
		os.Exit(2)
	}
	// Whoever started it keeps its standard input open: when he is gone, however he went, so is this.
	if os.Getenv("END_WITH_STDIN") != "" {
		go func() {
			buffer := make([]byte, 1)
			for {
				if _, err := os.Stdin.Read(buffer); err != nil {
					os.Exit(0)
				}
			}
		}()
	}
	if role().Execute() != nil {
		os.Exit(1)
	}
}

// redis is what Argo CD takes for its Redis, in memory. It prints the port that the system has chosen.
func redis() *cobra.Command {
	return &cobra.Command{Use: "argocd-redis", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		server := miniredis.NewMiniRedis()
		if err := server.StartAddr("127.0.0.1:0"); err != nil {
			return err
		}
		_, port, err := net.SplitHostPort(server.Addr())
		if err != nil {
			return err
		}
		fmt.Println(port)
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
		<-stop
		server.Close()
		return nil
	}}
}

// health judges manifests by a health.lua in the sandbox that the controller runs it in: a line of JSON for each.
func health() *cobra.Command {
	return &cobra.Command{Use: "argocd-health HEALTH_LUA FILE...", Args: cobra.MinimumNArgs(2), RunE: func(_ *cobra.Command, args []string) error {
		script, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		for _, file := range args[1:] {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			object := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(text, &object.Object); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			kind := object.GroupVersionKind()
			overrides := lua.ResourceHealthOverrides{kind.Group + "/" + kind.Kind: v1alpha1.ResourceOverride{HealthLua: string(script)}}
			found, err := overrides.GetResourceHealth(object)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
				return err
			}
		}
		return nil
	}}
}
