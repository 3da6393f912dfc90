// A controller as controller-runtime's users write them: for each Thing one ConfigMap and a status, by server-side
// apply. It is what Merkhet's engine is measured against on the same work.
package main

import (
	"context"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var thing = schema.GroupVersionKind{Group: "bench.test", Version: "v1", Kind: "Thing"}

type reconciler struct{ client.Client }

func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(thing)
	if err := r.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	observed, _, _ := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	if observed == object.GetGeneration() {
		return ctrl.Result{}, nil
	}
	if err := r.apply(ctx, child(object)); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.Status().Patch(ctx, status(object), client.Apply, client.FieldOwner("m"), client.ForceOwnership)
}

func (r *reconciler) apply(ctx context.Context, object *unstructured.Unstructured) error {
	return r.Patch(ctx, object, client.Apply, client.FieldOwner("m"), client.ForceOwnership)
}

func child(owner *unstructured.Unstructured) *unstructured.Unstructured {
	reference := map[string]any{
		"apiVersion": "bench.test/v1", "kind": "Thing", "name": owner.GetName(), "uid": string(owner.GetUID()), "controller": true,
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata": map[string]any{
			"name": owner.GetName(), "namespace": owner.GetNamespace(), "ownerReferences": []any{reference},
		},
		"data": map[string]any{"a": "b"},
	}}
}

func status(owner *unstructured.Unstructured) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "bench.test/v1",
		"kind":       "Thing",
		"metadata":   map[string]any{"name": owner.GetName(), "namespace": owner.GetNamespace()},
		"status":     map[string]any{"phase": "Ready", "observedGeneration": owner.GetGeneration()},
	}}
}

func main() {
	config := ctrl.GetConfigOrDie()
	config.QPS = -1
	mgr, err := manager.New(config, manager.Options{Metrics: server.Options{BindAddress: "0"}})
	if err != nil {
		panic(err)
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(thing)
	options := controller.Options{MaxConcurrentReconciles: 16}
	err = ctrl.NewControllerManagedBy(mgr).For(object).WithOptions(options).Complete(&reconciler{mgr.GetClient()})
	if err != nil {
		panic(err)
	}
	if err := mgr.Start(ctrl.SetupSignalHandler()); err != nil {
		os.Exit(1)
	}
}
