/** Packages that a build leaves outside, so that their marked functions would be plain ones. */
import { excludedBy, packageOf, shipsMarkedCode } from "./installed.ts";

/** A warning for each package among the external imports that ships marked functions and is not left as it is on purpose. */
export function warningsFor(
  imports: readonly string[],
  root: string,
  exclude: readonly string[] = excludedBy(root),
): string[] {
  const names = new Set(imports.flatMap((specifier) => packageOf(specifier) ?? []));
  return [...names]
    .filter((name) => !exclude.includes(name) && shipsMarkedCode(root, name))
    .map(
      (name) =>
        `The package ${name} ships functions marked "use step" or "use workflow" and is external, so this build does not compile ` +
        "it: its steps would be plain calls. Bundle it (tsup: `noExternal`), run the output with `node --import perdure/register`, " +
        `or add "${name}" to \`exclude\` if that is meant.`,
    );
}

/** What esbuild's metafile says of the files that it wrote. */
interface Outputs {
  readonly [file: string]: {
    readonly imports: readonly { readonly path: string; readonly external?: boolean }[];
  };
}

/** The external imports of an esbuild build. */
export function importsOfOutputs(outputs: Outputs): string[] {
  return Object.values(outputs).flatMap(({ imports }) =>
    imports.flatMap(({ path, external }) => (external ? path : [])),
  );
}

/** What Rollup and Rolldown say of the files that they write: a chunk's imports are file names, or external. */
interface Bundle {
  readonly [file: string]: {
    readonly type: string;
    readonly imports?: readonly string[];
    readonly dynamicImports?: readonly string[];
  };
}

/** The external imports of a Rollup or Rolldown build. */
export function importsOfBundle(bundle: Bundle): string[] {
  return Object.values(bundle)
    .flatMap(({ imports = [], dynamicImports = [] }) => [...imports, ...dynamicImports])
    .filter((path) => !(path in bundle));
}

/** The external imports of a webpack or Rspack build: such a module keeps what was asked for. */
export function importsOfModules(modules: Iterable<object>): string[] {
  return [...modules].flatMap((module) =>
    "externalType" in module && "userRequest" in module && typeof module.userRequest === "string"
      ? module.userRequest
      : [],
  );
}
