/** PostgreSQL under the contract suite of the store, as one table and in partitions. */
import { afterAll, beforeAll, describe, it } from "vitest";
import { storeContract } from "../src/testing/store-contract.js";
import { installEventplane } from "./support/postgres-installation.js";

storeContract({ describe, it, beforeAll, afterAll }, "PostgreSQL", () => installEventplane());
storeContract({ describe, it, beforeAll, afterAll }, "PostgreSQL in partitions", () =>
  installEventplane({ partitions: 3 }),
);
