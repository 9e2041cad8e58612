/**
 * The planes that applications have opened in this process, one for each database, also after the application's modules
 * were loaded again: a framework that reloads code must not leave loops and connections behind.
 *
 * They hang at globalThis, because a reload may load this module again too. So a slot is used by its shape.
 */
import type { AppDefinition } from "../../event/index.js";
import { EventplaneError } from "../../kernel/index.js";
import type { StandingPlane } from "../standing-plane.js";

/** What a slot needs of a plane. */
type SlotPlane = Pick<StandingPlane, "plane" | "replaceApp" | "close" | "lost">;

const slotsName = Symbol.for("eventplane.planes.v1");

/** The slot of this name; made when it is asked for first. */
export function planeSlot(name: string): PlaneSlot {
  const holder = globalThis as { [slotsName]?: Map<string, PlaneSlot> };
  holder[slotsName] ??= new Map();
  const slot = holder[slotsName].get(name) ?? new PlaneSlot();
  holder[slotsName].set(name, slot);
  return slot;
}

/** One plane, and who opened it last. */
export class PlaneSlot {
  #standing: SlotPlane | undefined;
  #app: AppDefinition | undefined;
  #owner: object | undefined;
  #isLost = false;
  #turn: Promise<unknown> = Promise.resolve();

  /** The plane as it runs now. @throws EventplaneError `unavailable` when it is closed */
  get standing(): SlotPlane {
    if (this.#standing !== undefined) return this.#standing;
    throw new EventplaneError("unavailable", "This plane is closed. Open it again with openPlane.");
  }

  /**
   * Starts the plane, or runs this app on the one that is there: nothing happens when it is the very same app.
   *
   * @throws whatever `start` throws, and of the new app; the one before runs on then
   */
  open(owner: object, app: AppDefinition, start: () => Promise<SlotPlane>): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#isLost) await this.#end();
      if (this.#standing === undefined) this.#begin(await start());
      else if (this.#app !== app) await this.#standing.replaceApp(app);
      this.#app = app;
      this.#owner = owner;
    });
  }

  /** Closes the plane, unless somebody has opened it again since. */
  close(owner: object): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#owner === owner) await this.#end();
    });
  }

  #begin(standing: SlotPlane): void {
    this.#standing = standing;
    this.#isLost = false;
    standing.lost.catch(() => {
      this.#isLost = this.#standing === standing;
    });
  }

  async #end(): Promise<void> {
    const standing = this.#standing;
    this.#standing = undefined;
    this.#app = undefined;
    this.#owner = undefined;
    this.#isLost = false;
    await standing?.close();
  }

  /** One after another: two reloads at once would both find no plane. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(step);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
