/** Builds a Go program, `module/path@version`, and gives the path of its binary. */
export function goTool(moduleAtVersion: string): Promise<string>;
/** The `go` on PATH, else one from a Python package. */
export function findGo(): Promise<string>;
/** Makes a virtual environment with these pinned packages (`name==version`) and gives its directory; programs are in `bin`. */
export function pipTool(name: string, packages: readonly string[]): Promise<string>;
/** Installs an npm package, `name@version`, without its scripts and gives the directory that holds `node_modules`. */
export function npmTool(packageAtVersion: string): Promise<string>;
/** Unpacks Debian packages, named one by one as no dependencies are followed, and gives the directory that stands for `/`. */
export function debTool(packages: readonly string[]): Promise<string>;
/** Every place in an unpacked Debian tree where shared libraries lie, as `LD_LIBRARY_PATH` wants it. */
export function librariesOf(tree: string): string;
