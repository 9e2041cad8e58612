/** What anybody may ask. */
import { exampleIds, exampleTime } from "./examples.js";
import { json, type Operations } from "./operation.js";
import { anyObject, list, members, oneOf, orNull, text, time, uuid } from "./schema-parts.js";

const readiness = members({ status: oneOf(["ok", "not ready"]), reasons: list(text()), degraded: list(text()) });

/** By method and address. */
export const openOperations: Operations = {
  "GET /livez": {
    id: "live",
    tag: "Open",
    summary: "Say that the process answers",
    answers: {
      200: { description: "It does.", content: json(members({ status: oneOf(["ok"]) }), { status: "ok" }) },
    },
    errors: [],
  },
  "GET /readyz": {
    id: "ready",
    tag: "Open",
    summary: "Say whether requests are served",
    answers: {
      200: {
        description: "They are; `degraded` says what does not work for somebody.",
        content: json(readiness, { status: "ok", reasons: [], degraded: [] }),
      },
      503: {
        description: "They are not, for these reasons.",
        content: json(readiness, { status: "not ready", reasons: ["platform_stale"], degraded: [] }),
      },
    },
    errors: [],
  },
  "GET /metrics": {
    id: "metrics",
    tag: "Open",
    summary: "Metrics of this process",
    answers: {
      200: {
        description: "As Prometheus reads them.",
        content: {
          "text/plain": { schema: text(), examples: { example: "eventplane_http_requests_total 17\n" } },
        },
      },
    },
    errors: [],
  },
  "GET /openapi.json": {
    id: "openApi",
    tag: "Open",
    summary: "This document",
    description: "With the intents of the app. Served where `edge.reference` is `open`.",
    answers: {
      200: { description: "OpenAPI 3.1.", content: json(anyObject(), { openapi: "3.1.1" }) },
    },
    errors: ["not_found"],
  },
  "GET /asyncapi.json": {
    id: "asyncApi",
    tag: "Open",
    summary: "The messages of subscriptions, publishers and sources",
    description: "With the types of the app. Served where `edge.reference` is `open`.",
    answers: {
      200: { description: "AsyncAPI 3.0.", content: json(anyObject(), { asyncapi: "3.0.0" }) },
    },
    errors: ["not_found"],
  },
  "GET /docs": {
    id: "referencePage",
    tag: "Open",
    summary: "This reference for people",
    description: "Works without the internet. Served where `edge.reference` is `open`.",
    answers: {
      200: {
        description: "The page.",
        content: { "text/html": { schema: text(), examples: { example: "<!doctype html>" } } },
      },
    },
    errors: ["not_found"],
  },
  "GET /docs/:file": {
    id: "referenceFile",
    tag: "Open",
    summary: "A file of the page of this reference",
    answers: {
      200: {
        description: "The file.",
        content: {
          "text/javascript": { schema: text(), examples: { example: "window.SwaggerUIBundle({});" } },
          "text/css": { schema: text(), examples: { example: "main {}" } },
        },
      },
    },
    errors: ["not_found"],
  },
  "GET /.well-known/eventplane-keys.json": {
    id: "signingKeys",
    tag: "Open",
    summary: "The keys that proofs are checked with",
    description: "The root key in it is for comparison only: have it from elsewhere.",
    answers: {
      200: {
        description: "The introductions of the signing keys.",
        content: json(
          members({
            rootKeyId: text(),
            rootPublicKey: text(),
            keys: list(
              members({
                keyId: uuid(),
                publicKey: text(),
                tier: oneOf(["edge", "runtime", "signer", "operator"]),
                kinds: list(oneOf(["intent", "fact", "internal"])),
                from: time(),
                to: orNull(time()),
                rootSignature: text(),
              }),
            ),
          }),
          {
            rootKeyId: exampleIds.derived,
            rootPublicKey: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            keys: [
              {
                keyId: exampleIds.other,
                publicKey: "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
                tier: "edge",
                kinds: ["intent", "fact"],
                from: exampleTime,
                to: null,
                rootSignature: "5kq0x3nV0",
              },
            ],
          },
        ),
      },
    },
    errors: [],
  },
};
