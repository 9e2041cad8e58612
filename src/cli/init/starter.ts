/** The files of a new application: those of examples/starter, and a package.json that fits this package. */
import { readFileSync } from "node:fs";
import { basename } from "node:path";

/** One file to be written. */
export interface StarterFile {
  /** Below the folder of the application. */
  readonly name: string;
  readonly text: string;
}

/** Name in the new folder → name in examples/starter: npm leaves out of a package what is called .gitignore. */
const copied: Readonly<Record<string, string>> = {
  "eventplane.config.ts": "eventplane.config.ts",
  "eventplane.test.ts": "eventplane.test.ts",
  "tsconfig.json": "tsconfig.json",
  Dockerfile: "Dockerfile",
  ".dockerignore": "dockerignore",
  ".gitignore": "gitignore",
};

interface PackageFile {
  readonly version: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** All files of an application in this folder. */
export function starterFiles(folder: string): readonly StarterFile[] {
  const files = Object.entries(copied).map(([name, source]) => ({ name, text: ownFile(`examples/starter/${source}`) }));
  return [{ name: "package.json", text: packageJson(basename(folder)) }, ...files];
}

function packageJson(folderName: string): string {
  const own = JSON.parse(ownFile("package.json")) as PackageFile; // our own file
  const content = {
    name: packageName(folderName),
    private: true,
    type: "module",
    engines: own.engines,
    scripts: {
      dev: "eventplane dev",
      start: "eventplane start",
      // jiti runs TypeScript without a build; the tests in it are those of node:test.
      test: "tsc && jiti eventplane.test.ts",
    },
    dependencies: { eventplane: `^${own.version}`, typebox: own.dependencies["typebox"] },
    devDependencies: {
      "@types/node": own.devDependencies["@types/node"],
      jiti: own.dependencies["jiti"],
      typescript: own.devDependencies["typescript"],
    },
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** A name that npm takes, from any folder's name. */
function packageName(folderName: string): string {
  const name = folderName
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replaceAll(/^[._-]+|[._-]+$/g, "");
  return name === "" || name === "eventplane" ? "eventplane-app" : name;
}

function ownFile(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
}
