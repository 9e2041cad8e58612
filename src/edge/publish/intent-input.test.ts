import { describe, expect, test } from "vitest";
import { EventplaneError } from "../../kernel/index.js";
import { readPublishBody } from "./intent-input.js";

const read = (text: string): ReturnType<typeof readPublishBody> => readPublishBody(Buffer.from(text));

describe("a publish body", () => {
  test("keeps the text of each spec as it came", async () => {
    const { intents, isList } = await read(
      '{"intents":[{"type":"a.b","spec":{ "n":1.0 }},{"type":"a.c"}],"atomic":true}',
    );
    expect(isList).toBe(true);
    expect(intents).toMatchObject([
      { type: "a.b", spec: { n: 1 }, specText: '{ "n":1.0 }' },
      { type: "a.c", spec: {}, specText: "{}" },
    ]);
  });

  test("of one intent names the place of a member that may not be sent", async () => {
    await expect(read('{"type":"a.b","causedBy":{}}')).rejects.toMatchObject({
      code: "forbidden_field",
      details: { pointer: "/causedBy" },
    });
    await expect(read('{"type":"a.b","toString":1}')).rejects.toMatchObject({ code: "forbidden_field" });
  });

  test("of a list gives the error in the intent's place", async () => {
    const { intents } = await read('{"intents":[{"type":"a.b"},7,{"type":"a.b","a/b~c":1}]}');
    expect(intents[0]).not.toBeInstanceOf(EventplaneError);
    expect(intents[1]).toMatchObject({ code: "request_invalid", details: { pointer: "/intents/1" } });
    expect(intents[2]).toMatchObject({ code: "forbidden_field", details: { pointer: "/intents/2/a~1b~0c" } });
  });

  test.each([
    ["an empty list", '{"intents":[]}', "request_invalid"],
    ["a list that is none", '{"intents":{}}', "request_invalid"],
    ["atomic of a wrong type", '{"intents":[{"type":"a.b"}],"atomic":1}', "request_invalid"],
    ["a member beside the list", '{"intents":[{"type":"a.b"}],"tenantId":"x"}', "forbidden_field"],
    ["atomic without a list", '{"type":"a.b","atomic":true}', "forbidden_field"],
    ["a fractional generation", '{"type":"a.b","expectedGeneration":1.5}', "request_invalid"],
    ["a spec that is a list", '{"type":"a.b","spec":[]}', "request_invalid"],
    ["a spec that is null", '{"type":"a.b","spec":null}', "request_invalid"],
  ])("refuses %s", async (_name, text, code) => {
    await expect(read(text)).rejects.toMatchObject({ code });
  });
});
