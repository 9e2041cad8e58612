import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { completionScript } from "./scripts.js";

const tree = {
  name: "evtctl",
  description: "",
  options: ["--output"],
  commands: [
    { name: "get", description: "show it's state", options: ["--min-position"], commands: [] },
    {
      name: "key",
      description: "keys",
      options: [],
      commands: [{ name: "revoke", description: "revoke", options: ["--now"], commands: [] }],
    },
  ],
};

function bashCompletes(line: string): readonly string[] {
  const words = line.split(" ");
  const ask = `COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _evtctl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", `${completionScript("bash", tree)}\n${ask}`], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return stdout
    .trim()
    .split("\n")
    .filter((word) => word !== "");
}

describe("the bash completion", () => {
  it("offers commands first, then what belongs to the command", () => {
    expect(bashCompletes("evtctl ")).toEqual(["get", "key", "--output", "--help"]);
    expect(bashCompletes("evtctl ke")).toEqual(["key"]);
    expect(bashCompletes("evtctl get --m")).toEqual(["--min-position"]);
    expect(bashCompletes("evtctl --output key ")).toEqual(["revoke", "--output", "--help"]);
    expect(bashCompletes("evtctl key revoke --n")).toEqual(["--now"]);
  });
});

describe("the fish completion", () => {
  it("quotes what it says", () => {
    expect(completionScript("fish", tree)).toContain("-a get -d 'show it\\'s state'");
  });
});
