/**
 * Status and finalizers change only in event/mutate (row A7 of the requirements): `node scripts/check-mutations.mjs [ROOT]`.
 *
 * Everywhere else in src/ a value for `status`, `statusText`, `finalizers` or `finalizersText` of an event or a
 * resource is a copy of such a field, a decoded copy, the result of a function of event/mutate, or empty. Writing into
 * one in place, or building a new one from an object literal, is a violation. Tests and src/testing are exempt.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "@swc/core";

const root = resolve(process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url))));
const guarded = new Set(["status", "statusText", "finalizers", "finalizersText"]);
const sourceNames = new Set([...guarded, "status_text", "finalizers_text", "statuses"]);
/** `status` is a common word: it is the resource's only beside one of these, or over a spread event or resource. */
const markers = new Set(["finalizers", "finalizersText", "lifecycle", "phase", "generation", "aggregateType"]);
const spreadNames = /resource|event|row|draft|before|current/iu;
/** event/mutate with the append that it fills, and its leaf with the marks that open a generation, which the factory needs too. */
const home = /^src\/event\/(mutate|derived-append|open)\.ts$/u;
/** Columns by number, so their names cannot show that they are copied. */
const decoder = /^src\/store\/postgres\/event-row\.ts$/u;
/** The fold applies to a resource what an event says; it makes no event. */
const fold = /^src\/event\/fold\.ts$/u;
/** Schemas and examples of the API's documents: nothing of them becomes an event or a resource. */
const described = /^src\/edge\/operations\/(shapes|examples)\.ts$/u;
/** What readers are shown of a row: the same status, with personal data open. */
const opened = /^src\/personal\/opened-row\.ts$/u;
const homeImport = /(^|\/)(mutate|open)\.js$/u;
const exempt = [home, decoder, fold, described, opened, /\.test\.ts$/u, /^src\/testing\//u];

const files = readdirSync(join(root, "src"), { recursive: true })
  .map((name) => join("src", String(name)))
  .filter((name) => name.endsWith(".ts") && !exempt.some((pattern) => pattern.test(name)));
const violations = files.flatMap(violationsOf);
for (const line of violations) process.stdout.write(`${line}\n`);
process.stdout.write(`mutations: ${files.length} files, ${violations.length} violations\n`);
if (violations.length > 0 || files.length === 0) process.exit(1);

function violationsOf(file) {
  const text = readFileSync(join(root, file), "utf8").replace(/^#!/u, "//");
  // The parser's offsets run on from call to call; the statement in front marks where this file begins.
  const front = "0;\n";
  const bytes = Buffer.from(front + text);
  const tree = parseSync(front + text, { syntax: "typescript", target: "es2022" });
  const makers = new Set(["mutate", ...tree.body.flatMap(importedMakers)]);
  const found = [];
  walk(tree, (node) => {
    const what = faultOf(node, makers);
    if (what === undefined) return;
    const line =
      bytes
        .subarray(0, what.span.start - tree.span.start)
        .toString()
        .split("\n").length - 1;
    found.push(`${relative(".", file)}:${line} ${what.says}: only event/mutate decides it`);
  });
  return found;
}

/** Names imported from event/mutate itself, or by these names from the face of event/. */
function importedMakers(statement) {
  if (statement.type !== "ImportDeclaration" || !homeImport.test(statement.source.value)) return [];
  return statement.specifiers.map((specifier) => specifier.local.value);
}

function faultOf(node, makers) {
  if (node.type === "AssignmentExpression") return writeFault(node.left);
  if (node.type === "UpdateExpression") return writeFault(node.argument);
  if (node.type === "UnaryExpression" && node.operator === "delete") return writeFault(node.argument);
  if (node.type === "ObjectExpression") return literalFault(node, makers);
  return undefined;
}

/** `x.finalizers = …`, `x.status.quota = …`: in place, at any depth below the field. */
function writeFault(target) {
  for (let node = target; node?.type === "MemberExpression"; node = node.object) {
    // A #private field is a class's own memory, not a field of an event.
    if (node.property.type === "PrivateName") return undefined;
    const name = node.property.value ?? node.property.expression?.value;
    if (guarded.has(name)) return { span: target.span, says: `${name} is written in place` };
  }
  return undefined;
}

function literalFault(literal, makers) {
  const names = new Set(literal.properties.map(keyOf));
  const isOurs = [...markers].some((name) => names.has(name)) || literal.properties.some(isSpreadOfOurs);
  for (const property of literal.properties) {
    const name = keyOf(property);
    if (!guarded.has(name) || property.type !== "KeyValueProperty") continue;
    if (name === "status" && !isOurs) continue;
    if (!isCopy(property.value, makers)) return { span: property.key.span, says: `${name} gets a new value` };
  }
  return undefined;
}

function keyOf(property) {
  return property.type === "Identifier" ? property.value : property.key?.value;
}

function isSpreadOfOurs(property) {
  if (property.type !== "SpreadElement") return false;
  const { arguments: spread } = property;
  return spread.type === "Identifier" && spreadNames.test(spread.value);
}

function isCopy(value, makers) {
  if (value.type === "StringLiteral" && value.value === "{}") return true;
  if (value.type === "ObjectExpression" && value.properties.length === 0) return true;
  let isBuilt = false;
  let isCopied = false;
  let isMade = false;
  walk(value, (node) => {
    if (node.type === "ObjectExpression" && node.properties.length > 0) isBuilt = true;
    if (node.type === "Identifier" && sourceNames.has(node.value)) isCopied = true;
    if (node.type === "CallExpression" && makers.has(calleeOf(node))) isMade = true;
  });
  return isMade || (isCopied && !isBuilt);
}

/** `open(…)` is `open`; `mutate.open(…)` is `mutate`. */
function calleeOf({ callee }) {
  return callee.type === "MemberExpression" ? callee.object.value : callee.value;
}

function walk(node, visit) {
  if (Array.isArray(node)) for (const child of node) walk(child, visit);
  else if (node !== null && typeof node === "object") {
    if (typeof node.type === "string") visit(node);
    for (const child of Object.values(node)) walk(child, visit);
  }
}
