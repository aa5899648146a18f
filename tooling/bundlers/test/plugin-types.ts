// The plugins' own types, which must hold where no bundler is installed, fit into each bundler's configuration. `tsc` is the test.
import type { UserConfig as FarmConfig } from "@farmfe/core";
import type { RsbuildConfig } from "@rsbuild/core";
import type { Configuration as RspackConfig } from "@rspack/core";
import type { BuildOptions } from "esbuild";
import esbuildPlugin from "perdure/esbuild";
import farmPlugin from "perdure/farm";
import rolldownPlugin from "perdure/rolldown";
import rollupPlugin from "perdure/rollup";
import rsbuildPlugin from "perdure/rsbuild";
import rspackPlugin from "perdure/rspack";
import vitePlugin from "perdure/vite";
import webpackPlugin from "perdure/webpack";
import type { RolldownOptions } from "rolldown";
import type { RollupOptions } from "rollup";
import type { UserConfig as ViteConfig } from "vite";
import type { Configuration as WebpackConfig } from "webpack";

export const esbuild: BuildOptions = { plugins: [esbuildPlugin()] };
export const vite: ViteConfig = { plugins: [vitePlugin()] };
export const rollup: RollupOptions = { plugins: [rollupPlugin()] };
export const rolldown: RolldownOptions = { plugins: [rolldownPlugin()] };
export const webpack: WebpackConfig = { plugins: [webpackPlugin()] };
export const rspack: RspackConfig = { plugins: [rspackPlugin()] };
export const rsbuild: RsbuildConfig = { plugins: [rsbuildPlugin()] };
export const farm: FarmConfig = { plugins: [farmPlugin()] };
