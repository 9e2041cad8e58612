/** Personal data of a test plane: the real sealing, with keys in memory. */
import { randomBytes } from "node:crypto";
import type { AppDefinition } from "../event/index.js";
import { type Clock, systemIds } from "../kernel/index.js";
import { KeyEncryptionKeys, KeyRing, MemoryDataKeys, PersonalData } from "../personal/index.js";
import type { LogReader } from "../store/index.js";

/** What seals, and where the keys are. */
export interface TestPersonal {
  readonly personal: PersonalData;
  readonly dataKeys: MemoryDataKeys;
}

/** Makes them, under a key-encryption key of their own. */
export function testPersonal(app: Pick<AppDefinition, "aggregates">, reader: LogReader, clock: Clock): TestPersonal {
  const dataKeys = new MemoryDataKeys(reader, () => clock.nowUs());
  const keks = new KeyEncryptionKeys([randomBytes(32).toString("base64url")]);
  return {
    personal: new PersonalData({ app, ring: new KeyRing({ store: dataKeys, keks, clock, ids: systemIds }) }),
    dataKeys,
  };
}
