"""The kinds of object that Merkhet makes, reads or watches."""

from __future__ import annotations

from merkhet import GROUP, VERSION
from merkhet.api.meta import Api

FEATURESET = Api(GROUP, VERSION, "FeatureSet", "featuresets")
COMPONENT = Api(GROUP, VERSION, "Component", "components")
MODELTRAINING = Api(GROUP, VERSION, "ModelTraining", "modeltrainings")
MODELVERSION = Api(GROUP, VERSION, "ModelVersion", "modelversions")
MODELDEPLOYMENT = Api(GROUP, VERSION, "ModelDeployment", "modeldeployments")

CONFIGMAP = Api("", "v1", "ConfigMap", "configmaps")
SERVICE = Api("", "v1", "Service", "services")
SERVICEACCOUNT = Api("", "v1", "ServiceAccount", "serviceaccounts")
CLAIM = Api("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
POD = Api("", "v1", "Pod", "pods")
JOB = Api("batch", "v1", "Job", "jobs")
DEPLOYMENT = Api("apps", "v1", "Deployment", "deployments")
STATEFULSET = Api("apps", "v1", "StatefulSet", "statefulsets")
ROLE = Api("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLEBINDING = Api("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
DISRUPTION = Api("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
POLICY = Api("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", False)
POLICY_BINDING = Api(
    "admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", False
)
