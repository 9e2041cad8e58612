import { Type } from "typebox";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineAggregate, defineApp, defineController, done, pending } from "../controller/index.js";
import { compileSchema } from "../kernel/index.js";
import { testPlane } from "../testing/index.js";
import { defineWorker } from "../worker/index.js";
import { readSchema } from "./read-schema.js";
import { secretReference } from "./secret-reference.js";

const check = compileSchema({ ...secretReference() });

describe("a reference to a secret", () => {
  test.each([
    "vault:billing#stripe",
    "vault:kv/data/billing-eu/v1.2#api_key",
    "vault:.hidden/..b#k",
    "token:0190b7c2-1111-7000-8000-000000000000",
    `token:${"a".repeat(128)}`,
  ])("is %s", (reference) => {
    expect(check(reference)).toEqual([]);
  });

  test.each([
    ["nothing", ""],
    ["the secret itself", `ghp_${"aB3".repeat(12)}`],
    ["a path without a key", "vault:billing"],
    ["a key without a path", "vault:#key"],
    ["an empty segment", "vault:a//b#k"],
    ["a path from the root", "vault:/a#k"],
    ["a path that leads out", "vault:a/../../root#k"],
    ["a path of a dot", "vault:.#k"],
    ["another store", "file:/etc/passwd"],
    ["an address", "vault:https://vault.example.com/a#k"],
    ["upper case", "VAULT:a#k"],
    ["a token id with a slash", "token:a/b"],
    ["a line behind it", "token:a\n"],
    ["a line before it", "\ntoken:a"],
    ["a second one", "token:a token:b"],
    ["too long an id", `token:${"a".repeat(129)}`],
    ["too long a path", `vault:${"a".repeat(512)}#k`],
    ["no text", 5],
  ])("is not %s", (_, text) => {
    expect(check(text).length).toBeGreaterThan(0);
  });

  test("says what it must be, and never what it was", () => {
    expect(check("hunter2")).toEqual([
      { pointer: "", message: "must be a reference to a secret: vault:<path>#<key> or token:<id>" },
    ]);
  });

  test.each([
    ["TypeBox", Type.Object({ key: secretReference() })],
    ["zod", z.object({ key: z.string().meta({ format: "secret-reference" }) })],
    ["JSON Schema", { type: "object", properties: { key: secretReference() }, required: ["key"] }],
  ])("is known to schemas of %s", (_, source) => {
    const fits = compileSchema(readSchema(source, "a test"));
    expect(fits({ key: "vault:a/b#c" })).toEqual([]);
    expect(fits({ key: "s3cret" })).toMatchObject([{ pointer: "/key" }]);
  });
});

test("the worker is given the reference as it was sent, and the literal is refused at the edge", async () => {
  const repository = defineAggregate("repository", {
    spec: Type.Object({ url: Type.String(), access: secretReference() }),
    status: { clone: Type.Object({ head: Type.String() }) },
    intents: { connect: { creates: true } },
  });
  const clone = defineWorker({
    name: "clone",
    input: Type.Object({ url: Type.String(), access: secretReference() }),
    output: Type.Object({ head: Type.String() }),
    run: () => Promise.reject(new Error("the real one is never called")),
  });
  const controller = defineController({
    name: "clone",
    watches: repository,
    reconcile({ resource, effects }) {
      const { ok } = effects.get(clone, resource.spec);
      return ok === undefined ? pending() : done(ok);
    },
  });
  const app = defineApp({ aggregates: [repository], controllers: [controller], workers: [clone] });
  const given: unknown[] = [];
  const run = ({ input }: { readonly input: unknown }): { head: string } => {
    given.push(input);
    return { head: "abc" };
  };
  const plane = await testPlane(app, { workers: { clone: run } });
  const spec = { url: "https://example.com/a.git", access: "vault:kv/acme#deploy-key" };
  await plane.publish(repository.connect(spec));
  await plane.settle();
  expect(given).toEqual([spec]);
  await expect(plane.publish(repository.connect({ ...spec, access: "hunter2" }))).rejects.toMatchObject({
    code: "schema_violation",
    details: { pointers: ["/spec/access"] },
    message: expect.stringContaining("vault:<path>#<key> or token:<id>"),
  });
});
