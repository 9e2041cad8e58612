/** The OpenAPI document: every route is in it, nothing else is, and an official validator takes it. */
import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp } from "../src/controller/index.js";
import { openApiDocument } from "../src/edge/openapi/document.js";
import { operationOf } from "../src/edge/operations/operations.js";
import type { JsonObject, JsonValue } from "../src/kernel/index.js";
import { answerOf, type EdgeFixture, startEdge } from "./support/edge-fixture.js";
import { type ApiDocument, checkOf, exampleOf, operationsOf } from "./support/openapi-document.js";

let edge: EdgeFixture;
let document: ApiDocument;
beforeAll(async () => {
  edge = await startEdge();
  document = (await (await fetch(`${edge.url}/openapi.json`)).json()) as ApiDocument; // checked below
});
afterAll(() => edge.close());

describe("the OpenAPI document", () => {
  test("has every route that the edge serves, and no other", () => {
    const served = edge.edge.routes.map((route) => route.replaceAll(/:(\w+)/g, "{$1}"));
    expect(
      operationsOf(document)
        .map(([route]) => route)
        .sort(),
    ).toEqual([...served].sort());
    expect(served.length).toBeGreaterThan(50);
  });

  test("is valid OpenAPI 3.1, as an independent validator sees it, and the validator is not asleep", async () => {
    const plain = structuredClone(document) as unknown as Record<string, object>;
    expect(await new Validator().validate(plain)).toMatchObject({ valid: true });
    const broken = structuredClone(document) as unknown as { paths: Record<string, object> };
    broken.paths["/livez"] = { get: { responses: { 200: {} } } };
    expect(await new Validator().validate(broken)).toMatchObject({ valid: false });
  });

  test("says of every route who may ask it, what is answered and every code that it is refused with", () => {
    const ids = operationsOf(document).map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [route, { summary, security, responses }] of operationsOf(document)) {
      expect([route, summary.length > 3 && summary.length < 80 && !summary.endsWith(".")]).toEqual([route, true]);
      const isOpen = !route.includes(" /v1/") || route.endsWith("/sources/{source}");
      expect([route, security]).toEqual([route, isOpen ? [] : [{ bearer: [] }]]);
      const statuses = Object.keys(responses);
      expect([route, statuses.some((status) => status.startsWith("2"))]).toEqual([route, true]);
      const expected = route.includes(" /v1/") ? ["400", "401", "403", "429", "500", "503"] : ["400", "500"];
      expect([route, statuses]).toEqual([route, expect.arrayContaining(expected)]);
    }
  });

  test("has examples that fit their schemas, of every body, answer, problem and parameter", () => {
    let checked = 0;
    const check = (place: string, schema: JsonObject, value: JsonValue | undefined): void => {
      checked++;
      expect([place, checkOf(document, schema)(value)]).toEqual([place, []]);
    };
    for (const [route, { parameters = [], requestBody, responses }] of operationsOf(document)) {
      for (const { name, schema, example } of parameters)
        if (schema["type"] !== "object") check(`${route} ${name}`, schema, example);
      const contents = [requestBody, ...Object.values(responses)].flatMap((each) =>
        Object.entries(each?.content ?? {}),
      );
      for (const [mediaType, { schema, examples }] of contents) {
        expect([route, mediaType, Object.keys(examples).length]).toEqual([
          route,
          mediaType,
          expect.toSatisfy((count) => count > 0),
        ]);
        for (const each of Object.values(examples)) check(`${route} ${mediaType}`, schema, exampleOf(document, each));
      }
    }
    expect(checked).toBeGreaterThan(200);
  });

  test("has the specs of the app's intents, references within them included", () => {
    const tree = {
      type: "object",
      properties: { root: { $ref: "#/$defs/node" } },
      $defs: { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } },
    } as const;
    const app = defineApp({
      aggregates: [
        defineAggregate("tree", { spec: tree, intents: { create: { creates: true } } }),
        defineAggregate("shop", { spec: z.object({ name: z.string() }), intents: { create: { creates: true } } }),
      ],
      controllers: [],
    });
    const ofApp = openApiDocument(app) as unknown as ApiDocument; // checked above
    expect(ofApp.components.schemas["Spec.shop.create.1"]).toMatchObject({
      required: ["name"],
      additionalProperties: false,
    });
    const intent = checkOf(ofApp, { $ref: "#/components/schemas/Intent" });
    expect(intent({ type: "shop.create", spec: { name: "Acme" } })).toEqual([]);
    expect(intent({ type: "shop.create", spec: {} })).not.toEqual([]);
    expect(intent({ type: "shop.rename", spec: {} })).not.toEqual([]);
    expect(intent({ type: "tree.create", spec: { root: { next: { next: {} } } } })).toEqual([]);
    expect(intent({ type: "tree.create", spec: { root: { next: { next: 1 } } } })).not.toEqual([]);
    const publish = ofApp.paths["/v1/tenants/{t}/intents"]?.["post"]?.requestBody?.content["application/json"];
    const example = publish?.examples["one"]?.value as JsonObject | undefined; // an intent
    expect(example?.["type"]).toBe("tree.create");
    expect(intent(example)).toEqual([]);
  });
});

test("a route that says nothing of itself is refused with what it needs", () => {
  expect(() => operationOf("GET", "/v1/tenants/:t/secrets")).toThrow(
    /no operation\. Describe it in src\/edge\/operations/,
  );
});

test("who does not serve the reference answers that there is nothing", async () => {
  const silent = await startEdge({ reference: "off" });
  const response = await fetch(`${silent.url}/openapi.json`);
  expect([response.status, (await answerOf(response)).code]).toEqual([404, "not_found"]);
  await silent.close();
});
