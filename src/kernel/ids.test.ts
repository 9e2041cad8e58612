import { MAX, NIL, v1, v4, v5, v6, v7, validate, version } from "uuid";
import { describe, expect, test } from "vitest";
import { isUuid, systemIds, uuidVersion } from "./ids.js";

describe("isUuid and uuidVersion", () => {
  const good = [v1(), v4(), v5("x", v5.DNS), v6(), v7(), NIL, MAX, systemIds.uuid4(), systemIds.uuid7()];

  test.each(good)("take %s, as the package uuid does", (uuid) => {
    expect(isUuid(uuid)).toBe(true);
    expect(validate(uuid)).toBe(true);
    expect(uuidVersion(uuid)).toBe(version(uuid));
  });

  const wrong = [
    "",
    "x",
    ` ${v4()}`,
    `${v4()}\n`,
    v4().replace(/^(.{14})./, "$19"),
    v4().replace(/^(.{19})./, "$1c"),
    v4().slice(1),
  ];

  test.each([...wrong, v4().toUpperCase(), 7, undefined])("refuse %j", (value) => {
    expect(isUuid(value)).toBe(false);
  });
});
