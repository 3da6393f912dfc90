"""How does a program find out what this server takes and gives (OpenAPI 3.1)?"""

from __future__ import annotations

from typing import Any

from merkhet.contract.serving import ServingTask
from merkhet.contract.training import Tensor

ERROR = {
    "description": "An error, in words.",
    "content": {
        "application/json": {
            "schema": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
        }
    },
}


def document(task: ServingTask) -> dict[str, Any]:
    """The document for one model."""
    model = f"/v2/models/{task.model}"
    infer = {"post": _infer(task)}
    paths: dict[str, Any] = {
        "/v2": _get("The server and its extensions."),
        "/v2/health/live": _get("Whether the process is alive."),
        "/v2/health/ready": _get("Whether the model may be asked."),
    }
    for at in (model, f"{model}/versions/{task.number}"):
        paths |= {at: _get("The model's inputs and outputs."), f"{at}/ready": _get("Whether it may be asked.")}
        paths[f"{at}/infer"] = infer
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{task.model}, version {task.number}", "version": "2"},
        "paths": paths,
    }


def _get(words: str) -> dict[str, Any]:
    return {"get": {"summary": words, "responses": {"200": _object("Yes."), "default": ERROR}}}


def _infer(task: ServingTask) -> dict[str, Any]:
    request = {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": {"oneOf": [_tensor(tensor) for tensor in task.signature.inputs]}},
            "outputs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {"name": {"enum": [tensor.name for tensor in task.signature.outputs]}},
                },
            },
        },
    }
    answer = {
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            "model_name": {"const": task.model},
            "model_version": {"const": str(task.number)},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": {"oneOf": [_tensor(tensor) for tensor in task.signature.outputs]}},
        },
    }
    return {
        "summary": f"Ask the model: at most {task.max_batch_rows} rows at once.",
        "requestBody": {"required": True, "content": {"application/json": {"schema": request}}},
        "responses": {
            "200": {"description": "The answers.", "content": {"application/json": {"schema": answer}}},
            "default": ERROR,
        },
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    described = f"Columns: {', '.join(tensor.columns)}." if tensor.columns else ""
    return {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "description": described,
        "properties": {
            "name": {"const": tensor.name},
            "datatype": {"const": tensor.datatype},
            "shape": {
                "type": "array",
                "prefixItems": [{"type": "integer"} if size == -1 else {"const": size} for size in tensor.shape],
                "minItems": len(tensor.shape),
                "maxItems": len(tensor.shape),
            },
            "data": {"type": "array"},
        },
    }


def _object(words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": {"type": "object"}}}}
