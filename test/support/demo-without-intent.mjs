/** The demo with a planted defect: its publisher drops one intent and says that it was stored. */
import { runDemo } from "../../dist/cli/demo/index.js";
import { createTerminal } from "../../dist/cli/terminal.js";

let isDropped = false;

async function dropOne(client, intent) {
  if (isDropped) return client.publish(intent);
  isDropped = true;
  const receipt = { id: intent.id, position: 1, version: 1, hash: "", correlationId: intent.id };
  return { ...receipt, repeated: false };
}

process.exitCode = await runDemo({
  terminal: createTerminal(process.stdout, process.stderr, process.env),
  environment: process.env,
  self: "npx evtctl",
  send: dropOne,
});
