"""The style that travels with every figure, so that it looks the same on any page.

The book's own stylesheet sets the same variables; ``:where`` makes these give way to it.
"""

# kind -> colour of lines and text, of surfaces, and of the strongest cell of a grid (mixed in)
LIGHT = {
    "float32": ("#0a66d8", "#e5effc", "#0a66d8"),
    "int8": ("#a23b00", "#fdebdc", "#e06a00"),
    "int32": ("#751379", "#f6e6f6", "#a01fb0"),
    "weight": ("#0b5145", "#dcf2ec", "#00a389"),
}
DARK = {
    "float32": ("#58a9ff", "#132d4b", "#58a9ff"),
    "int8": ("#ff8a4a", "#46270f", "#ff8a4a"),
    "int32": ("#f5bff3", "#44214a", "#e58aea"),
    "weight": ("#3fe0ad", "#0d372e", "#2fd3a0"),
}
DARK_PAGES = (  # the book, JupyterLab, Colab, VS Code
    'html[data-theme="dark"],body[data-jp-theme-light="false"],html[theme="dark"],body.vscode-dark'
)


def _variables(palette: dict[str, tuple[str, str, str]], line: str, muted: str) -> str:
    kinds = "".join(
        f"--drq-{kind}:{colour};--drq-{kind}-bg:{tint};--drq-{kind}-cell:{cell};"
        for kind, (colour, tint, cell) in palette.items()
    )
    return f"{{{kinds}--drq-line:{line};--drq-muted:{muted}}}"


_PALETTE = "".join(
    f":where(.drq-{kind}){{--drq-color:var(--drq-{kind});--drq-tint:var(--drq-{kind}-bg);"
    f"--drq-cell:var(--drq-{kind}-cell)}}\n"
    for kind in LIGHT
)

_RULES = """
.drq-figure{margin:1rem 0;max-width:100%;line-height:1.45;font-size:1rem;overflow:visible;
  container-type:inline-size}
.drq-figure *{box-sizing:border-box}
.drq-figure figcaption{margin:.5rem 0 0;padding:0;color:var(--drq-muted);
  font-size:.9rem;text-align:left}
.drq-figure svg{display:block;width:100%;max-width:33rem;height:auto;
  font-family:system-ui,sans-serif;stroke-linejoin:round;stroke-linecap:butt}
.drq-figure .drq-scroll{overflow-x:auto;max-width:100%}
.drq-figure .drq-short{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;
  font-size:.85em;color:var(--drq-color,inherit);white-space:nowrap;font-weight:400}
.drq-figure .drq-hidden,.drq-explorer .drq-hidden{position:absolute;width:1px;height:1px;
  overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.drq-figure table{width:auto;margin:0;border:0;border-collapse:collapse;table-layout:auto;
  font-size:.8rem;font-variant-numeric:tabular-nums;display:table}
.drq-figure table[class] tbody tr,.drq-figure table[class] tbody tr:hover{background:none;border:0}
.drq-figure table caption{caption-side:top;text-align:left;padding:0 0 .35rem;font-weight:600;
  color:inherit;font-size:.95rem}

.drq-figure .drq-beside{display:flex;flex-wrap:wrap;gap:1rem;align-items:flex-end}
.drq-figure .drq-beside-item{max-width:100%;min-width:0}
.drq-figure .drq-beside-head{margin:.9rem 0 .4rem;font-weight:600;font-size:.95rem}
.drq-figure .drq-beside-head:first-child{margin-top:0}
.drq-figure .drq-beside-head+.drq-beside caption{font-weight:400}
.drq-figure .drq-note{font-size:.9em;font-weight:400;color:var(--drq-muted)}
.drq-figure caption .drq-note{display:block;font-size:.8rem}
.drq-figure table.drq-grid{font-size:.76rem}
.drq-figure table.drq-grid tbody td{padding:.3em .22em;border:1px solid var(--drq-line);
  text-align:right;line-height:1.3;white-space:nowrap;
  background:color-mix(in srgb,var(--drq-cell) var(--shade,0%),transparent)}
.drq-figure table.drq-grid tbody td.drq-below{
  background:color-mix(in srgb,currentColor calc(var(--shade,0%)*.7),transparent)}
.drq-figure table.drq-grid tbody td.drq-marked{outline:2.5px solid currentColor;
  outline-offset:-2px;font-weight:700}

.drq-figure table.drq-bars{width:100%;max-width:44rem;font-size:.9rem}
.drq-figure table.drq-bars th,.drq-figure table.drq-bars td{padding:.25rem .6rem .25rem 0;border:0;
  text-align:left;font-weight:400;line-height:1.3;vertical-align:middle}
.drq-figure table.drq-bars th{overflow-wrap:break-word;min-width:min(var(--label),55cqw)}
.drq-figure table.drq-bars td:last-child{white-space:nowrap;text-align:right;padding-right:0}
.drq-figure table.drq-bars td.drq-track{width:100%;min-width:4.5rem}
@container (max-width:30rem){.drq-figure table.drq-bars{font-size:.85rem}
  .drq-figure table.drq-bars th{min-width:min(var(--label),38cqw)}
  .drq-figure table.drq-bars td.drq-track{min-width:3rem}}
.drq-figure .drq-track div{height:1.1rem;min-width:.3rem;border-radius:0 .25rem .25rem 0;
  background:var(--drq-color);print-color-adjust:exact}

.drq-figure .drq-lives{min-width:calc(var(--n)*1.45rem);font-size:.85rem;
  font-variant-numeric:tabular-nums}
.drq-figure .drq-lives-row{display:grid;grid-template-columns:15rem 1fr;align-items:stretch}
.drq-figure .drq-lives-label{padding:.15rem .6rem .15rem 0;align-self:center;line-height:1.25}
.drq-figure .drq-lives-label span{display:block;font-size:.95em;color:var(--drq-muted)}
.drq-figure .drq-lives-heads .drq-lives-label{align-self:end;font-weight:600}
.drq-figure .drq-lives-totals .drq-lives-label{align-self:start;font-weight:600}
.drq-figure .drq-lives-track{display:grid;grid-template-columns:repeat(var(--n),minmax(0,1fr));
  min-height:1.6rem;border-right:1px solid var(--drq-line);background:repeating-linear-gradient(
  to right,var(--drq-line) 0 1px,transparent 1px calc(100%/var(--n)))}
.drq-figure .drq-lives-bar{margin:.25rem 0 .25rem 1px;border-radius:.25rem;
  background:var(--drq-color,var(--drq-muted));print-color-adjust:exact}
.drq-figure .drq-lives-heads span{writing-mode:vertical-rl;transform:rotate(180deg);
  justify-self:center;padding-top:.35rem;white-space:nowrap}
.drq-figure .drq-lives-totals .drq-lives-track{border-top:2px solid var(--drq-muted)}
.drq-figure .drq-lives-totals .drq-lives-track span{display:flex;flex-direction:column;
  align-items:center;gap:.35rem;height:8.2rem;padding-left:1px}
.drq-figure .drq-lives-totals i{flex:none;width:100%;background:var(--drq-muted);opacity:.55;
  print-color-adjust:exact}
.drq-figure .drq-lives-totals b{writing-mode:vertical-rl;transform:rotate(180deg);font-weight:400}
.drq-figure .drq-peak b{font-weight:700}
@container (max-width:36rem){.drq-figure .drq-lives-row{grid-template-columns:1fr}
  .drq-figure .drq-lives-label{padding-top:.4rem}}

.drq-figure .drq-flow-title{font-weight:650;font-size:1.1rem;margin-bottom:.5rem}
.drq-figure .drq-flow{font-size:.9rem;max-width:60rem;--line:var(--drq-muted)}
.drq-figure .drq-flow-panel{position:relative}
.drq-figure .drq-flow-panel::before{content:"";position:absolute;inset:0 auto 0 0;
  width:calc((100% - 2rem)*6/13);border-radius:.6rem;print-color-adjust:exact;
  background:color-mix(in srgb,var(--drq-weight-bg) 55%,transparent)}
.drq-figure .drq-flow-row{position:relative;display:grid;
  grid-template-columns:minmax(0,6fr) 2rem minmax(0,7fr)}
.drq-figure .drq-flow-file{display:flex;flex-direction:column;justify-content:center;gap:.5rem;
  padding:0 .6rem}
.drq-figure .drq-flow-heads,.drq-figure .drq-flow-head{font-weight:600;color:var(--drq-muted)}
.drq-figure .drq-flow-heads .drq-flow-chain{padding:.6rem 0}
.drq-figure .drq-flow-head{flex:1;padding-top:.4rem}
.drq-figure .drq-flow-joins .drq-flow-file{margin:-1.3rem 0}
.drq-figure .drq-flow-cards{display:flex;flex-wrap:wrap;gap:.6rem}
.drq-figure .drq-flow-cards .drq-tile{flex:1 1 11rem}
.drq-figure .drq-flow-join{position:relative}
.drq-figure .drq-flow-chain{display:grid;grid-template-columns:minmax(0,1fr)}
.drq-figure .drq-flow-joins .drq-flow-join::before{content:"";position:absolute;left:-.6rem;
  right:6px;top:calc(50% - 1px);border-top:2px solid var(--line)}
.drq-figure .drq-flow-joins .drq-flow-join::after{content:"";position:absolute;right:0;
  top:calc(50% - 6px);border:6px solid transparent;border-left:9px solid var(--line);
  border-right:0}
.drq-figure .drq-flow-arrow{position:relative;display:flex;flex-direction:column;
  align-items:flex-start;min-height:2.2rem}
.drq-figure .drq-flow-arrow::before,.drq-figure .drq-flow-arrow::after{content:"";flex:1 0 .9rem;
  margin-left:1.5rem;border-left:2px solid var(--line)}
.drq-figure .drq-flow-arrow::after{margin-left:calc(1.5rem - 5px);width:12px;border:0;
  background:linear-gradient(var(--line),var(--line)) 50% 0/2px calc(100% - 6px) no-repeat,
  conic-gradient(from -34deg at 50% 100%,var(--line) 68deg,transparent 0) 50% 100%/12px 9px
  no-repeat}
.drq-figure .drq-flow-again{display:flex;align-items:center;margin-left:1.5rem;
  padding:.2rem 0 .4rem;border-left:2px solid var(--line)}
.drq-figure .drq-flow-again::before{content:"";width:.9rem;border-top:2px solid var(--line)}
.drq-figure .drq-flow-late .drq-flow-join::before,
.drq-figure .drq-flow-late .drq-flow-join::after{margin-top:1.05rem}
.drq-figure .drq-flow-again span{padding:.05rem .5rem;border:1.5px solid var(--drq-color);
  border-radius:.4rem;background:var(--drq-tint);font-size:.85rem;print-color-adjust:exact}
.drq-figure .drq-flow-op{padding:.2rem .8rem;border:1.5px solid var(--line);border-radius:1rem;
  font-weight:500}
.drq-figure .drq-tile{position:relative;padding:.45rem .7rem .6rem;overflow:hidden;
  border:1.5px solid var(--drq-color,var(--drq-muted));border-left-width:6px;border-radius:.5rem;
  background:var(--drq-tint,transparent);print-color-adjust:exact;break-inside:avoid}
.drq-figure .drq-passing{border-style:dashed;border-left-style:solid}
.drq-figure .drq-tile-line{display:flex;flex-wrap:wrap;
  justify-content:space-between;gap:0 .75rem}
.drq-figure .drq-tile-line b{font-weight:650;font-size:1rem}
.drq-figure .drq-muted{color:var(--drq-muted);font-size:.95em}
.drq-figure .drq-value{font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap}
.drq-figure .drq-tile-size{position:absolute;left:0;bottom:0;height:4px;min-width:.35rem;
  background:var(--drq-color,var(--drq-muted))}
.drq-figure ul.drq-legend{display:flex;flex-wrap:wrap;gap:.3rem 1.25rem;margin:.9rem 0 0;padding:0;
  list-style:none;font-size:.85rem}
.drq-figure .drq-legend li{display:flex;align-items:center;gap:.45rem;margin:0}
.drq-figure .drq-legend i{flex:none;width:1.4rem;height:.95rem;border-radius:.2rem;
  border:1.5px solid var(--drq-color,var(--drq-muted));background:var(--drq-tint,transparent)}
.drq-figure .drq-legend i.drq-passing{border-style:dashed}
.drq-figure .drq-legend i.drq-flow-size{height:4px;border:0;border-radius:0;
  background:var(--drq-muted)}

.drq-figure .drq-hand{max-width:34rem;font-size:.85rem}
.drq-figure .drq-hand>*{position:relative}
.drq-figure .drq-hand>*+*{margin-top:1.5rem}
.drq-figure .drq-hand>*+*::before{content:"";position:absolute;left:2.2rem;top:-1.5rem;
  height:1.15rem;border-left:2px solid var(--drq-muted)}
.drq-figure .drq-hand>*+*::after{content:"";position:absolute;left:calc(2.2rem - 5px);
  top:-.5rem;border:6px solid transparent;border-top:8px solid var(--drq-muted);border-bottom:0}
.drq-figure .drq-hand-tensor{display:flex;align-items:center;gap:.8rem;padding:.3rem .6rem;
  overflow:visible}
.drq-figure .drq-hand-tensor svg{flex:none;width:5.6rem;height:5.6rem}
.drq-figure .drq-hand-op{padding:.3rem .6rem .5rem;border:1.5px solid var(--drq-muted);
  border-radius:.5rem}
.drq-figure .drq-hand-steps{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem .4rem}
.drq-figure .drq-hand-steps table.drq-grid{font-size:.7rem}
.drq-figure .drq-hand-steps table caption{font-size:.75rem;font-weight:500;padding:0 0 .1rem;
  color:var(--drq-color)}
.drq-figure .drq-hand-joined{display:flex;align-items:center;gap:.4rem}
.drq-figure .drq-hand-sign{font-size:1.1rem;color:var(--drq-muted)}
.drq-figure .drq-hand-value{padding:.15rem .45rem;border:1.5px solid var(--drq-color);
  border-radius:.4rem;background:var(--drq-tint);print-color-adjust:exact;line-height:1.3}
.drq-figure .drq-hand-value span{display:block;font-size:.75rem;color:var(--drq-color)}
.drq-figure .drq-hand-value b{font-variant-numeric:tabular-nums}
@container (max-width:38rem){
  .drq-figure .drq-flow-row{grid-template-columns:minmax(0,1fr)}
  .drq-figure .drq-flow-panel::before,.drq-figure .drq-flow-heads,.drq-figure .drq-flow-head,
  .drq-figure .drq-flow-join{display:none}
  .drq-figure .drq-flow-file{padding:0}
  .drq-figure .drq-flow-joins .drq-flow-file{margin:0 0 0 1.5rem;padding:.9rem 0 .2rem 1.5rem;
    border-left:2px solid var(--line);border-radius:0}
  .drq-figure .drq-flow-joins .drq-tile{overflow:visible}
  .drq-figure .drq-flow-joins .drq-tile::before{content:"";position:absolute;left:-1.9rem;top:50%;
    width:1.5rem;border-top:2px solid var(--line)}
}
"""

DARK_VARIABLES = _variables(DARK, "#48566b", "#9ca4af")  # for pages that follow the system
STYLE = (
    "<style>"
    f":where(:root){_variables(LIGHT, '#c9ced6', '#48566b')}\n"
    f":where({DARK_PAGES}){DARK_VARIABLES}\n"
    f"{_PALETTE}{_RULES}</style>"
)
