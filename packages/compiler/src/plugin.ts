/** The one bundler plugin; `esbuild.ts` and `vite.ts` give it the shape that each bundler wants. */
import type { UnpluginContext, UnpluginFactory } from "unplugin";
import { type Diagnostic, formatDiagnostic } from "./diagnostics.ts";
import { excludedBy, markedDependencies, packageOf, shipsMarkedCode } from "./installed.ts";
import { projectRoot, realPath } from "./project.ts";
import { transform } from "./transform.ts";

/** Settings of the bundler plugins. None is needed in an ordinary project. */
export interface PluginOptions {
  /** The folder that ids are relative to. Default: that of the nearest `package.json`, from the bundler's working directory up. */
  root?: string | undefined;
  /** The module to import the runtime from. Default: `perdure/compiled`, or `workflow/compiled` where only that resolves. */
  runtime?: string | undefined;
  /**
   * Names of installed packages that ship marked functions and stay as they are: their steps are plain calls. Default: the
   * list `perdure.exclude` in the `package.json` of the root.
   */
  exclude?: readonly string[] | undefined;
}

/** Makes the plugin for any bundler that unplugin knows. */
export const factory: UnpluginFactory<PluginOptions | undefined, false> = (options = {}) => {
  const { runtime } = options;
  let root = options.root === undefined ? projectRoot(process.cwd()) : realPath(options.root);
  const excluded = (): readonly string[] => options.exclude ?? excludedBy(root);
  const startAt = (folder: string): void => {
    if (options.root === undefined) root = projectRoot(folder);
  };
  return {
    name: "perdure",
    // Directives and positions must be the user's own, so nothing may rewrite the file before.
    enforce: "pre",
    transform: {
      filter: { id: { include: sourceFile } },
      handler(code, id) {
        const result = transform(code, { filename: id, root, runtime, exclude: options.exclude });
        if (!result) return null;
        if (report(this, result.diagnostics) || !result.map) return null;
        return { code: result.code, map: result.map };
      },
    },
    esbuild: {
      onLoadFilter: sourceFile,
      config: ({ absWorkingDir }) => startAt(absWorkingDir ?? process.cwd()),
      setup(build) {
        build.initialOptions.metafile = true;
        build.onEnd(({ metafile }) => ({
          warnings: externalPackages(metafile?.outputs ?? {})
            .filter((name) => !excluded().includes(name) && shipsMarkedCode(root, name))
            .map((name) => ({ text: externalWarning(name) })),
        }));
      },
    },
    vite: {
      config(config) {
        startAt(config.root ?? process.cwd());
        // Vite leaves installed packages to Node on the server, and bundles them beforehand for the browser: unseen by plugins.
        const marked = markedDependencies(root, excluded());
        return marked.length === 0 ? {} : { ssr: { noExternal: marked }, optimizeDeps: { exclude: marked } };
      },
      configResolved: (config) => startAt(config.root),
    },
  };
};

// No query: `?raw` and parts of single-file components are not modules of their own.
const sourceFile = /^[^?]+\.[cm]?[jt]sx?$/;

/** The names of the packages that the outputs of a build import. */
function externalPackages(
  outputs: Readonly<
    Record<string, { readonly imports: readonly { readonly path: string; readonly external?: boolean }[] }>
  >,
): string[] {
  const names = Object.values(outputs).flatMap(({ imports }) =>
    imports.flatMap(({ path, external }) => (external && packageOf(path)) || []),
  );
  return [...new Set(names)];
}

function externalWarning(name: string): string {
  return (
    `The package ${name} ships functions marked "use step" or "use workflow" and is external, so this build does not compile ` +
    "it: its steps would be plain calls. Bundle it (tsup: `noExternal`), run the output with `node --import perdure/register`, " +
    `or add "${name}" to \`exclude\` if that is meant.`
  );
}

/** Hands the diagnostics to the bundler; tells whether the build must stop. */
function report(context: UnpluginContext, diagnostics: readonly Diagnostic[]): boolean {
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  for (const warning of diagnostics) {
    if (warning.severity === "warning") context.warn(messageFor([warning]));
  }
  // One message for all errors: some bundlers stop at the first.
  if (errors.length > 0) context.error(messageFor(errors));
  return errors.length > 0;
}

function messageFor(
  diagnostics: readonly Diagnostic[],
): Exclude<Parameters<UnpluginContext["warn"]>[0], string> {
  const message = diagnostics.map(formatDiagnostic).join("\n");
  const [first] = diagnostics;
  if (!first) return { message };
  const { file, line, column } = first;
  // Bundlers count columns from 0.
  return { message, id: file, code: first.code, loc: { file, line, column: column - 1 } };
}
