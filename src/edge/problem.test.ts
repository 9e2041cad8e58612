import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { EventplaneError, errorCodes } from "../kernel/index.js";
import { asEventplaneError, httpCodes, httpStatus, problemHeaders, problemOf } from "./problem.js";

const reference = readFileSync(new URL("../../docs/reference/errors.md", import.meta.url), "utf8");
const rows = new Map(
  [...reference.matchAll(/^\| `([a-z0-9_]+)` \| (\S+)[^|]* \| (yes|no) \| (.+) \|$/gm)].map(
    ([, code, status, again, advice]) => [code, { status, again, advice }],
  ),
);
const requestId = "r-1";

describe("docs/reference/errors.md", () => {
  test("documents every code and no other", () => {
    expect(new Set(rows.keys())).toEqual(new Set(errorCodes));
  });

  test("says of every code whether to try again, and its status over HTTP", () => {
    const statuses = httpCodes();
    for (const code of errorCodes) {
      const expected = code === "internal" ? "500" : String(statuses.get(code) ?? "–");
      expect([code, rows.get(code)?.status?.replace(/[;,]$/, "")]).toEqual([code, expected]);
      expect([code, rows.get(code)?.again]).toEqual([code, new EventplaneError(code, "").retryable ? "yes" : "no"]);
    }
  });
});

describe("a problem", () => {
  test("carries code, status, text, request and pointers", () => {
    const error = new EventplaneError("json_nul", "Remove it.", { details: { pointer: "/spec/a", byte: 7 } });
    expect(problemOf(error, { requestId })).toEqual({
      type: "urn:eventplane:error:json_nul",
      title: "JSON nul",
      status: 422,
      code: "json_nul",
      detail: "Remove it.",
      requestId,
      retryable: false,
      pointers: ["/spec/a"],
      byte: 7,
    });
  });

  test("of a foreign error shows nothing of it", () => {
    const error = asEventplaneError(new Error("password=hunter2 at /srv/app.ts:1"));
    const text = JSON.stringify(problemOf(error, { requestId }));
    expect(text).not.toMatch(/hunter2|srv/);
    expect(JSON.parse(text)).toMatchObject({ code: "internal", status: 500, requestId });
  });

  test("of a code that must stay inside is internal", () => {
    const error = new EventplaneError("verification_failed", "Event 1 of tenant t does not verify.");
    expect(problemOf(error, { requestId })).toMatchObject({ code: "internal", status: 500 });
    expect(JSON.stringify(problemOf(error, { requestId }))).not.toContain("tenant t");
  });

  test("cannot be made to overwrite its own members by details", () => {
    const error = new EventplaneError("forbidden", "No.", { details: { status: 200, code: "ok", requestId: "x" } });
    expect(problemOf(error, { requestId })).toMatchObject({ status: 403, code: "forbidden", requestId });
  });

  test("says when to come again, and how to authenticate", () => {
    const busy = problemOf(new EventplaneError("busy", ""), { requestId });
    const unknown = problemOf(new EventplaneError("unauthenticated", ""), { requestId });
    expect(problemHeaders(busy)["retry-after"]).toBe("1");
    expect(problemHeaders(unknown)["www-authenticate"]).toMatch(/^Bearer/);
  });

  test("of a stale generation is 412 only when If-Match asked", () => {
    expect(httpStatus("wrong_expected_generation")).toBe(409);
    expect(httpStatus("wrong_expected_generation", { preconditioned: true })).toBe(412);
    expect(httpStatus("wrong_expected_version", { preconditioned: true })).toBe(409);
  });
});
