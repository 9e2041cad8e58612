import { describe, expect, it } from "vitest";
import { EventplaneError } from "../kernel/index.js";
import { assertNoSecrets } from "./secrets.js";

const key = `epk_0190c7c2-8c1e-7c0e-9d4b-2f6f3f0b7a11_${"A".repeat(43)}`;

describe("assertNoSecrets", () => {
  it.each([
    ["--api-key", "x"],
    ["get", "--api-key=x"],
    ["--", "--token", "x"],
    ["--TOKEN=x"],
    ["publish", "--secret", "x"],
    ["-password", "x"],
    ["--apikey=x"],
    ["publish", "--spec", `{"note":"${key}"}`],
    ["--url", "https://user:hunter2@plane.internal"],
    ["--url", "postgresql://db/plane?sslmode=require&password=hunter2"],
  ])("refuses %j without repeating it", (...args) => {
    const failure = catching(() => assertNoSecrets(args));
    expect(failure).toBeInstanceOf(EventplaneError);
    expect(failure).toMatchObject({ code: "secret_in_arguments" });
    expect(String(failure)).not.toMatch(/hunter2|epk_/);
  });

  it.each([
    ["get", "organization"],
    ["--api-key-stdin", "get", "organization"],
    ["publish", "--spec", '{"token":"a word","password":"another"}'],
    ["--url", "http://127.0.0.1:8787"],
    ["key", "list", "acme"],
    ["publish", "api-key.create"],
  ])("lets %j pass", (...args) => {
    expect(() => assertNoSecrets(args)).not.toThrow();
  });
});

function catching(work: () => void): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}
