/** Prints the deliveries as NDJSON, for `evtctl publish --file`. */
import { githubDeliveries } from "./deliveries.js";

for (const delivery of githubDeliveries()) process.stdout.write(`${JSON.stringify(delivery)}\n`);
