/**
 * The OpenAPI 3.1 document of a running app: its routes from the operations that the router holds requests to, its bodies from
 * the schemas that specs are checked with.
 */
import type { AppDefinition, IntentDefinition } from "../../event/index.js";
import { type ErrorCode, EventplaneError, errorCodes, type JsonObject, type JsonValue } from "../../kernel/index.js";
import { exampleCloudEventSent, exampleIds } from "../operations/examples.js";
import { type Content, type Operation, type Parameter, tags } from "../operations/operation.js";
import { codesOf, credentialOf, operations } from "../operations/operations.js";
import { pathParameters } from "../operations/parameters.js";
import { cloudEventIntentShape, intentShape } from "../operations/publishing.js";
import { shape, text, uuid } from "../operations/schema-parts.js";
import { shapes } from "../operations/shapes.js";
import { httpStatus, problemOf } from "../problem.js";
import { cloudEventTypes } from "../publish/cloudevents.js";
import { exampleIntentOf, intentsOf, specComponents } from "./app-intents.js";
import { componentName } from "./embed-schema.js";

/** Of the API, as its addresses begin; the package has versions of its own. */
const apiVersion = "1.0.0";

/** The document. It is made anew by each call, in some milliseconds. */
export function openApiDocument(app: AppDefinition): JsonObject {
  const intents = intentsOf(app);
  return {
    openapi: "3.1.1",
    info: {
      title: "Eventplane",
      version: apiVersion,
      description:
        "One multi-tenant event plane over HTTP. Refusals are problems (RFC 9457): branch on their `code`. Unknown parameters and unknown members are refused.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/", description: "This edge." }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths: pathsJson(intents),
    components: {
      securitySchemes: {
        bearer: {
          type: "http",
          scheme: "bearer",
          description: "An API key (`epk_…`), or a token of a configured issuer. It belongs to one tenant.",
        },
      },
      headers: { RequestId: headerJson(requestId), RetryAfter: headerJson(retryAfter) },
      examples: Object.fromEntries(errorCodes.map((code) => [`problem.${code}`, { value: exampleProblem(code) }])),
      schemas: { ...shapes, ...intentShapes(intents) },
    },
  };
}

/** The address as the document writes it: `:t` becomes `{t}`. */
function templateOf(url: string): string {
  return url.replaceAll(/:(\w+)/g, "{$1}");
}

function pathsJson(intents: readonly IntentDefinition[]): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const [key, operation] of Object.entries(operations)) {
    const [method = "", url = ""] = key.split(" ");
    const path = (paths[templateOf(url)] ??= {});
    const shown = operation.id === "publish" ? withIntentOf(intents, operation) : operation;
    path[method.toLowerCase()] = operationJson(key, url, shown);
    if (credentialOf(key) === "none") path["head"] = headJson(operation);
  }
  return paths;
}

/** Open addresses answer HEAD too: the same without a body. */
function headJson({ id, tag, summary, answers, errors }: Operation): JsonObject {
  const withoutBody = Object.entries(answers).map(([status, { description }]) => [status, { description }]);
  return {
    operationId: `${id}Head`,
    tags: [tag],
    summary: `${summary}, without a body`,
    security: [],
    responses: {
      ...Object.fromEntries(withoutBody),
      ...problemsJson(["request_invalid", "internal", ...errors]),
    } as JsonObject, // made of JSON
  };
}

function operationJson(key: string, url: string, operation: Operation): JsonObject {
  const { id, tag, summary, description, query = {}, headers = {}, body } = operation;
  const names = [...url.matchAll(/:(\w+)/g)].map(([, name = ""]) => name);
  const parameters = [
    ...names.map((name) => parameterJson("path", name, { ...pathParameter(name), required: true })),
    ...Object.entries(query).map(([name, parameter]) => parameterJson("query", name, parameter)),
    ...(operation.takesOtherParameters === true ? [groupValues] : []),
    ...Object.entries(headers).map(([name, parameter]) => parameterJson("header", name, parameter)),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: credentialOf(key) === "bearer" ? [{ bearer: [] }] : [],
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: contentJson(body) } }),
    responses: { ...answersJson(operation), ...problemsJson(codesOf(key, operation), operation) },
  };
}

function pathParameter(name: string): Parameter {
  const parameter = pathParameters[name];
  if (parameter !== undefined) return parameter;
  const message = `The part :${name} of an address is not described. Add it to pathParameters in src/edge/operations/parameters.ts.`;
  throw new EventplaneError("internal", message);
}

/** Values of a group, under the names that the app gave them. */
const groupValues: JsonObject = {
  in: "query",
  name: "where",
  description: "Values of the group, each under its own name.",
  style: "form",
  explode: true,
  schema: { type: "object", additionalProperties: { type: "string" } },
  example: { plan: "team" },
};

function parameterJson(place: "path" | "query" | "header", name: string, parameter: Parameter): JsonObject {
  const { schema, description, example, required = false } = parameter;
  return { in: place, name, description, required, schema, example };
}

function answersJson({ answers }: Operation): JsonObject {
  const entries = Object.entries(answers).map(([status, { description, content, headers = {} }]) => {
    const own = Object.entries(headers).map(([name, header]) => [name, headerJson(header)]);
    const all = {
      "x-request-id": { $ref: "#/components/headers/RequestId" },
      ...Object.fromEntries(own),
    } as JsonObject; // made of JSON
    return [status, { description, headers: all, ...(content === undefined ? {} : { content: contentJson(content) }) }];
  });
  return Object.fromEntries(entries) as JsonObject; // made of JSON
}

function contentJson(content: Readonly<Record<string, Content>>): JsonObject {
  const entries = Object.entries(content).map(([mediaType, { schema, examples }]) => {
    const named = Object.entries(examples).map(([name, value]) => [name, { value }]);
    return [mediaType, { schema, examples: Object.fromEntries(named) as JsonValue }];
  });
  return Object.fromEntries(entries) as JsonObject; // made of JSON
}

/** One response for each status that the codes have, with an example of each. */
function problemsJson(codes: readonly ErrorCode[], { headers = {} }: Pick<Operation, "headers"> = {}): JsonObject {
  const byStatus = new Map<number, ErrorCode[]>();
  const add = (status: number, code: ErrorCode): void => {
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  };
  for (const code of codes) add(httpStatus(code), code);
  if ("if-match" in headers) add(412, "wrong_expected_generation");
  const entries = [...byStatus]
    .sort(([one], [other]) => one - other)
    .map(([status, each]) => [status, problemJson(status, each)]);
  return Object.fromEntries(entries) as JsonObject; // made of JSON
}

function problemJson(status: number, codes: readonly ErrorCode[]): JsonObject {
  const examples = codes.map((code) => [code, { $ref: `#/components/examples/problem.${code}` }]);
  const waits = status === 429 || status === 503;
  return {
    description: codes.map((code) => `\`${code}\``).join(", "),
    headers: {
      "x-request-id": { $ref: "#/components/headers/RequestId" },
      ...(waits ? { "retry-after": { $ref: "#/components/headers/RetryAfter" } } : {}),
    },
    content: {
      "application/problem+json": {
        schema: { allOf: [shape("Problem"), { type: "object", properties: { code: text({ enum: [...codes] }) } }] },
        examples: Object.fromEntries(examples) as JsonObject, // made of JSON
      },
    },
  };
}

function exampleProblem(code: ErrorCode): JsonObject {
  const error = new EventplaneError(code, "What failed, with its ids, and what to do.");
  return problemOf(error, { requestId: exampleIds.other }) as unknown as JsonObject; // a problem is JSON
}

const requestId: Parameter = {
  schema: uuid(),
  description: "Of this request; the log has it too.",
  example: exampleIds.other,
};
const retryAfter: Parameter = {
  schema: { type: "integer", minimum: 0 },
  description: "Seconds after which trying again can help.",
  example: 1,
};

function headerJson({ description, schema, example }: Parameter): JsonObject {
  return { description, schema, example };
}

/** An intent is one of the app's, told apart by its type. */
function intentShapes(intents: readonly IntentDefinition[]): JsonObject {
  const choices = intents.map(({ type, schemaVersion }) => ({
    properties: { type: { const: type }, spec: shape(componentName(type, schemaVersion)) },
  }));
  const ofApp = choices.length === 0 ? {} : { anyOf: choices };
  const dataOf = choices.map(({ properties: { type, spec } }) => ({ properties: { type, data: spec } }));
  return {
    Intent: { ...intentShape, ...ofApp },
    CloudEventIntent: { ...cloudEventIntentShape, ...(dataOf.length === 0 ? {} : { anyOf: dataOf }) },
    ...specComponents(intents),
  };
}

/** One intent in every form that it is taken in, by media type. */
function publishExamples(
  intent: NonNullable<ReturnType<typeof exampleIntentOf>>,
): Readonly<Record<string, Content["examples"]>> {
  const { type, aggregateId, spec } = intent;
  const subject = `${type.split(".", 1)[0]}/${aggregateId}`;
  const cloudEvent = { ...exampleCloudEventSent, type, subject, data: spec };
  return {
    "application/json": { one: intent, list: { intents: [intent], atomic: true } },
    [cloudEventTypes.single]: { example: cloudEvent },
    [cloudEventTypes.batch]: { example: [cloudEvent] },
  };
}

/** What the route that publishes takes, with an intent of the app as its example. */
function withIntentOf(intents: readonly IntentDefinition[], operation: Operation): Operation {
  const { body = {} } = operation;
  const example = exampleIntentOf(intents);
  const examples = example === undefined ? {} : publishExamples(example);
  const contents = Object.entries(body).map(([mediaType, content]) => [
    mediaType,
    { ...content, examples: examples[mediaType] ?? {} },
  ]);
  return { ...operation, body: Object.fromEntries(contents) as NonNullable<Operation["body"]> }; // of contents
}
