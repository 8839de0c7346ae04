// Does to pods what an API server's own policies do, by the API server's own code: its library, without its storage, and
// without the checks of a pod that come behind admission.
//
// In come JSON values: a list of policies, bindings and namespaces, then pods that are to be created. Out goes one for
// each pod: {"pod": what becomes of it} or {"error": why it is refused}.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/discovery"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/openapi/openapitest"
)

type answer struct {
	Pod   *corev1.Pod `json:"pod,omitempty"`
	Error string      `json:"error,omitempty"`
}

// The plugin asks for the types' schemas.
type client struct{ *fake.Clientset }

type described struct{ discovery.DiscoveryInterface }

func (c client) Discovery() discovery.DiscoveryInterface { return described{c.Clientset.Discovery()} }
func (described) OpenAPIV3() openapi.Client              { return openapitest.NewEmbeddedFileClient() }

type everybody struct{}

func (everybody) Authorize(context.Context, authorizer.Attributes) (authorizer.Decision, string, error) {
	return authorizer.DecisionAllow, "", nil
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	asked := json.NewDecoder(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	var listed []json.RawMessage
	if err := asked.Decode(&listed); err != nil {
		return err
	}
	var objects []runtime.Object
	for _, raw := range listed {
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(raw, nil, nil)
		if err != nil {
			return err
		}
		switch object := object.(type) {
		case *admissionregistrationv1.MutatingAdmissionPolicy:
			complete(object.Spec.MatchConstraints)
		case *admissionregistrationv1.MutatingAdmissionPolicyBinding:
			complete(object.Spec.MatchResources)
		}
		objects = append(objects, object)
	}
	ctx, end := context.WithCancel(context.Background())
	defer end()
	plugin, err := start(ctx, objects)
	if err != nil {
		return err
	}
	for {
		pod := &corev1.Pod{}
		if err := asked.Decode(pod); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := answers.Encode(admit(ctx, plugin, pod)); err != nil {
			return err
		}
	}
}

// What storage adds to a policy that does not say it.
func complete(match *admissionregistrationv1.MatchResources) {
	if match.NamespaceSelector == nil {
		match.NamespaceSelector = &metav1.LabelSelector{}
	}
	if match.ObjectSelector == nil {
		match.ObjectSelector = &metav1.LabelSelector{}
	}
	if match.MatchPolicy == nil {
		equivalent := admissionregistrationv1.Equivalent
		match.MatchPolicy = &equivalent
	}
	for i := range match.ResourceRules {
		if match.ResourceRules[i].Scope == nil {
			all := admissionregistrationv1.AllScopes
			match.ResourceRules[i].Scope = &all
		}
	}
}

func start(ctx context.Context, objects []runtime.Object) (*mutating.Plugin, error) {
	plugin, err := mutating.NewPlugin(nil)
	if err != nil {
		return nil, err
	}
	client := client{fake.NewSimpleClientset(objects...)}
	shared := informers.NewSharedInformerFactory(client, 0)
	mapper := meta.NewDefaultRESTMapper(scheme.Scheme.PrioritizedVersionsAllGroups())
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Pod"), meta.RESTScopeNamespace)
	plugin.SetEnabled(true)
	plugin.SetExternalKubeClientSet(client)
	plugin.SetExternalKubeInformerFactory(shared)
	plugin.SetDynamicClient(dynamicfake.NewSimpleDynamicClient(scheme.Scheme))
	plugin.SetRESTMapper(mapper)
	plugin.SetDrainedNotification(ctx.Done())
	plugin.SetAuthorizer(everybody{})
	if err := plugin.ValidateInitialization(); err != nil {
		return nil, err
	}
	shared.Start(ctx.Done())
	shared.WaitForCacheSync(ctx.Done())
	if !plugin.WaitForReady() {
		return nil, fmt.Errorf("the policies were not read")
	}
	return plugin, nil
}

// As an API server does when a pod is created: every policy, and again those that want to see what others changed.
func admit(ctx context.Context, plugin admission.MutationInterface, pod *corev1.Pod) answer {
	attributes := admission.NewAttributesRecord(pod, nil, corev1.SchemeGroupVersion.WithKind("Pod"), pod.Namespace, pod.Name,
		corev1.SchemeGroupVersion.WithResource("pods"), "", admission.Create, &metav1.CreateOptions{}, false, nil)
	interfaces := admission.NewObjectInterfacesFromScheme(scheme.Scheme)
	within, end := context.WithTimeout(ctx, time.Minute)
	defer end()
	if err := plugin.Admit(within, attributes, interfaces); err != nil {
		return answer{Error: err.Error()}
	}
	if again := attributes.GetReinvocationContext(); again.ShouldReinvoke() {
		again.SetIsReinvoke()
		if err := plugin.Admit(within, attributes, interfaces); err != nil {
			return answer{Error: err.Error()}
		}
	}
	return answer{Pod: pod}
}
