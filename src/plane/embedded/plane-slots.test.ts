import { describe, expect, test } from "vitest";
import { EventplaneError } from "../../kernel/index.js";
import { createTestApp } from "../../testing/index.js";
import { PlaneSlot, planeSlot } from "./plane-slots.js";

type Standing = Awaited<ReturnType<Parameters<PlaneSlot["open"]>[2]>>;

/** A plane that only notes what is done with it. */
function scene(): { readonly done: string[]; readonly start: () => Promise<Standing>; readonly lose: () => void } {
  const done: string[] = [];
  const losses: (() => void)[] = [];
  const start = async (): Promise<Standing> => {
    const number = losses.length;
    done.push(`start ${number}`);
    await Promise.resolve();
    const lost = new Promise<never>((_, reject) =>
      losses.push(() => reject(new EventplaneError("unavailable", "lost"))),
    );
    return {
      plane: { url: String(number) } as Standing["plane"], // only its url is looked at
      lost,
      replaceApp: async () => void done.push(`replace ${number}`),
      close: async () => void done.push(`close ${number}`),
    };
  };
  return { done, start, lose: () => losses.at(-1)?.() };
}

const app = createTestApp({});
const reloaded = createTestApp({});

describe("a slot", () => {
  test("starts once, keeps the plane for the same app and replaces it for another", async () => {
    const { done, start } = scene();
    const slot = new PlaneSlot();
    await slot.open({}, app, start);
    await slot.open({}, app, start);
    await slot.open({}, reloaded, start);
    expect(done).toEqual(["start 0", "replace 0"]);
    expect(slot.standing.plane.url).toBe("0");
  });

  test("takes opens at once in turn", async () => {
    const { done, start } = scene();
    const slot = new PlaneSlot();
    await Promise.all([app, reloaded, reloaded, app].map((each) => slot.open({}, each, start)));
    expect(done).toEqual(["start 0", "replace 0", "replace 0"]);
  });

  test("is closed by whoever opened it last, once", async () => {
    const { done, start } = scene();
    const slot = new PlaneSlot();
    const [before, after] = [{}, {}];
    await slot.open(before, app, start);
    await slot.open(after, reloaded, start);
    await slot.close(before);
    expect(slot.standing).toBeDefined();
    await Promise.all([slot.close(after), slot.close(after)]);
    expect(done).toEqual(["start 0", "replace 0", "close 0"]);
    expect(() => slot.standing).toThrow(expect.objectContaining({ code: "unavailable" }));
    await slot.open(after, app, start);
    expect(done.at(-1)).toBe("start 1");
  });

  test("begins anew when the database of its plane was lost, and after a start that failed", async () => {
    const { done, start, lose } = scene();
    const slot = new PlaneSlot();
    await expect(slot.open({}, app, () => Promise.reject(new Error("no database")))).rejects.toThrow("no database");
    await slot.open({}, app, start);
    lose();
    await Promise.resolve();
    await slot.open({}, app, start);
    expect(done).toEqual(["start 0", "close 0", "start 1"]);
  });

  test("is found again by its name from anywhere in the process", () => {
    expect(planeSlot("one")).toBe(planeSlot("one"));
    expect(planeSlot("one")).not.toBe(planeSlot("other"));
  });
});
