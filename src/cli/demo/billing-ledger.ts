/** The service outside of the plane that billing calls: it survives the plane's death and remembers every call. */
import { fileURLToPath } from "node:url";
import { createJiti } from "jiti";
import { systemClock } from "../../kernel/index.js";
import type { OutsideCall } from "./log-checks.js";

const serviceFile = fileURLToPath(new URL("../../../examples/organizations/billing-service.ts", import.meta.url));

interface ServiceFile {
  readonly startBillingService: (
    onCall: (call: { readonly key: string; readonly isBusy: boolean }) => void,
  ) => Promise<string>;
}

/** The example's billing service in this process, with its book of calls. */
export interface BillingLedger {
  /** Where the plane finds it. */
  readonly url: string;
  /** Every call so far, in the order of their coming. */
  readonly calls: readonly OutsideCall[];
}

/** Starts the service; it ends with this process. */
export async function openBillingLedger(): Promise<BillingLedger> {
  const jiti = createJiti(import.meta.url, { fsCache: false });
  const { startBillingService } = await jiti.import<ServiceFile>(serviceFile);
  const calls: OutsideCall[] = [];
  const url = await startBillingService(({ key, isBusy }) => {
    calls.push({ key, isAccepted: !isBusy, atUs: systemClock.nowUs() });
  });
  return { url, calls };
}
