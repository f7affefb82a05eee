/** Completion scripts. Each asks `ingot __complete WORDS…`, which answers one candidate a line. */

import type { SHELLS } from '../verbs/tool-verbs.ts';

type Shell = (typeof SHELLS)[number];

const BASH = `# ingot completion for bash; add to ~/.bashrc:  source <(ingot completion bash)
_ingot() {
  local line=\${COMP_LINE:0:COMP_POINT} IFS=$' \\t\\n' words answer word cut
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  word=\${words[\${#words[@]}-1]}
  answer=$("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null)
  case $answer in
    :files) compopt -o default 2>/dev/null; COMPREPLY=(); return ;;
    :directories) COMPREPLY=($(compgen -d -- "$word")); return ;;
  esac
  COMPREPLY=($answer)
  # bash splits words at ":" and "@": it wants only what follows the last of them
  cut=\${word%"\${word##*[:@=]}"}
  [[ -n $cut && \${COMP_WORDBREAKS} == *"\${cut: -1}"* ]] && COMPREPLY=("\${COMPREPLY[@]#"$cut"}")
}
complete -F _ingot ingot
`;

const ZSH = `#compdef ingot
# ingot completion for zsh; add to ~/.zshrc:  source <(ingot completion zsh)
_ingot() {
  local -a answer
  answer=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  case $answer[1] in
    :files) _files ;;
    :directories) _files -/ ;;
    *) compadd -- \${answer:#} ;;
  esac
}
if [[ $funcstack[1] == _ingot ]]; then _ingot "$@"; else compdef _ingot ingot; fi
`;

const FISH = `# ingot completion for fish; save as ~/.config/fish/completions/ingot.fish
function __ingot_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answer ($words[1] __complete $words[2..-1] 2>/dev/null)
  switch "$answer[1]"
    case ':files'
      __fish_complete_path (commandline -ct)
    case ':directories'
      __fish_complete_directories (commandline -ct)
    case '*'
      printf '%s\\n' $answer
  end
end
complete -c ingot -f -a '(__ingot_complete)'
`;

const POWERSHELL = `# ingot completion for PowerShell; add to $PROFILE:  ingot completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName ingot -ScriptBlock {
  param($word, $ast, $position)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += '' }
  $answer = @(& ingot __complete @words 2>$null)
  if ($answer[0] -like ':*') { return }
  $answer | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}
`;

const SCRIPTS: Readonly<Record<Shell, string>> = { bash: BASH, zsh: ZSH, fish: FISH, powershell: POWERSHELL };

/** Gives the completion script of a shell. */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}
