"""The looks of the page: one style sheet for light, dark and paper, and the only script there is."""

STYLE = """
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5d6878;--line:#e1e5eb;--code:#f2f4f7;
--done:#2b8a57;--ok:#a3cfb6;--bad:#d1353f;--unknown:#9747c7;--pending:#c98a10;--rest:#dde2e9;--link:#2563c9;
--add:#e3f5e9;--addink:#14602f;--del:#fdeaea;--delink:#9c1f28;--hunk:#5a63b8;--badbg:#fff1f1;--notebg:#fff8e6}
@media(prefers-color-scheme:dark){:root{--bg:#11151c;--card:#191f29;--ink:#e3e8f0;--soft:#97a3b6;--line:#2a3240;
--code:#12171f;--done:#3fb574;--ok:#2c6b4a;--bad:#f0616b;--unknown:#c084f0;--pending:#e0aa3e;--rest:#303a49;
--link:#7fb0ff;--add:#12301f;--addink:#8fe0ae;--del:#3a191d;--delink:#ffaab0;--hunk:#a6aef5;--badbg:#2a171b;
--notebg:#2a2414}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",
Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:27px;line-height:1.2;margin:0;letter-spacing:-.01em}
h2{font-size:16px;margin:34px 0 10px}h2 small{font-weight:400;color:var(--soft)}
code,pre,.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:13px}
.top{display:flex;gap:14px;align-items:center;flex-wrap:wrap}
.pill{padding:3px 12px;border-radius:99px;font-weight:600;font-size:13px;color:#fff;background:var(--soft)}
.pill.done,.pill.undone{background:var(--done)}.pill.incomplete{background:var(--bad)}.pill.waiting{
background:var(--pending)}
.pill.running{background:var(--link)}
@media(prefers-color-scheme:dark){.pill{color:#10151c}}
.args{margin:12px 0 0;display:flex;gap:6px;flex-wrap:wrap}
.args span{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:1px 8px}.args i{
color:var(--soft);
font-style:normal}
dl{display:flex;flex-wrap:wrap;margin:22px 0 0;background:var(--card);border:1px solid var(--line);border-radius:12px;
overflow:hidden}
dl div{padding:12px 20px;flex:1 0 auto;box-shadow:1px 0 var(--line),0 1px var(--line)}
dt{color:var(--soft);font-size:12px}dd{margin:0;font-weight:600}dd small{font-weight:400;color:var(--soft)}
.box{border:1px solid var(--line);border-left:4px solid var(--pending);border-radius:10px;padding:12px 18px;
margin:14px 0;
background:var(--notebg)}
.box.bad{border-left-color:var(--bad);background:var(--badbg)}
.box p{margin:4px 0}.box h3{margin:10px 0 2px;font-size:14px}.box h3:first-child{margin-top:0}
.steps{background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden}
details.step{border-top:1px solid var(--line)}details.step:first-child{border-top:0}
summary{cursor:pointer}summary:focus-visible{outline:2px solid var(--link);outline-offset:-2px}
.step>summary{display:grid;grid-template-columns:14px 22px minmax(0,1fr) 250px 64px;gap:4px 12px;align-items:center;
padding:10px 18px;list-style:none}
.step>summary::-webkit-details-marker{display:none}
.step>summary::before{content:"";border:5px solid transparent;border-left:6px solid var(--soft);border-right:0;
width:0}
.step[open]>summary::before{transform:rotate(90deg)}
.step>summary:hover{background:var(--code)}
.n{color:var(--soft);text-align:right}.name{font-weight:600}.name small{font-weight:400;color:var(--soft);
display:block}
.took{text-align:right;color:var(--soft);font-size:13px}
.how{font-size:12px;color:var(--soft);display:block;line-height:1.35}
.bar{display:flex;height:10px;border-radius:3px;overflow:hidden;background:var(--rest);gap:1px}
.bar i{flex:1 1 0;min-width:2px;background:var(--rest)}
.done i,i.done,i.undone{background:var(--done)}i.ok{background:var(--ok)}i.failed,i.unverified{background:var(--bad)}
i.unknown{background:var(--unknown)}i.pending{background:var(--pending)}
.line{display:block;position:relative;height:3px;margin:3px 0 2px}.line i{position:absolute;top:0;bottom:0;
border-radius:2px;min-width:3px;
background:var(--link);opacity:.75}
.in{padding:4px 18px 18px 66px}
.in>.note{font-size:14px}.in h4{font-size:12px;font-weight:600;color:var(--soft);margin:14px 0 4px}
.group{display:grid;grid-template-columns:96px minmax(0,1fr);gap:0 12px;padding:2px 0}
.word{font-weight:600}.w-done,.w-undone{color:var(--done)}.w-ok,.w-not{color:var(--soft)}
.w-failed,.w-unverified{color:var(--bad)}.w-unknown{color:var(--unknown)}.w-pending{color:var(--pending)}
.where{overflow-wrap:anywhere}.count{color:var(--soft)}.note{color:var(--soft);overflow-wrap:anywhere}
.box .note,.w-failed~div .note{color:inherit}
pre{margin:4px 0;padding:10px 14px;background:var(--code);border-radius:8px;white-space:pre-wrap;
overflow-wrap:anywhere}
pre b{font-weight:600}pre .p,pre .c{color:var(--soft)}
pre span.a,pre span.d,pre span.x{display:block;margin:0 -14px;padding:0 14px}
.a{background:var(--add);color:var(--addink)}.d{background:var(--del);color:var(--delink)}.x{padding:0 14px}
.h{color:var(--hunk)}.e{color:var(--bad)}
details.sent{margin:4px 0}details.sent>summary{color:var(--link)}details.sent>summary .count{color:var(--soft)}
table{border-collapse:collapse;width:100%;background:var(--card);font-size:14px}
th{text-align:left;font-weight:600;color:var(--soft);font-size:12px}th,td{padding:5px 18px 5px 0;
border-bottom:1px solid
var(--line);vertical-align:top}td.r,th.r{text-align:right}tbody tr:last-child td{border:0}
table.remarks{table-layout:fixed}.remarks th,.remarks td{padding:8px 18px;overflow-wrap:anywhere;
vertical-align:baseline}.remarks tr:last-child th{border:0}
.remarks th{width:26%;color:inherit;font-size:inherit}.remarks td.mono{width:27%;font-size:12px}
.advice{margin:-6px 0 8px;color:var(--soft);font-size:14px}
details.hosts{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:10px 18px;
margin-top:14px}
details.hosts>summary{font-weight:600}
.key{display:flex;gap:16px;flex-wrap:wrap;font-size:12px;color:var(--soft);margin:8px 2px}
.key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:5px}
.key i.not{background:var(--rest)}
.key b{display:inline-block;width:14px;height:3px;border-radius:2px;margin:0 5px 3px 0;background:var(--link);
opacity:.75}
.h2{display:flex;justify-content:space-between;align-items:end}.h2 button{font:inherit;font-size:13px;
color:var(--link);
background:none;border:0;cursor:pointer;margin-bottom:8px}
footer{color:var(--soft);font-size:12px;margin-top:28px;overflow-wrap:anywhere}
@media(max-width:760px){main{padding:20px 12px}.step>summary{grid-template-columns:10px 20px minmax(0,1fr) 56px;
padding:10px 12px}
.step>summary .state{grid-column:3/5;grid-row:2}.in{padding-left:18px}.group{grid-template-columns:1fr}
.remarks tr{display:block;padding:6px 12px;border-bottom:1px solid var(--line)}.remarks tr:last-child{border:0}
.remarks th,.remarks td,.remarks td.mono{display:block;width:auto;padding:0;border:0}}
@media print{:root{--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--code:#f5f5f5}main{padding:0;max-width:none}button{
display:none}
details.step,.group,tr{break-inside:avoid}h2,.advice{break-after:avoid}body{font-size:11pt}*{print-color-adjust:exact;
-webkit-print-color-adjust:exact}}
"""

SCRIPT = """
const steps=[...document.querySelectorAll('details.step')],button=document.getElementById('all');
const open=()=>steps.every(s=>s.open);
const name=()=>{button.textContent=open()?'Close all':'Open all'};
button.hidden=false;name();
button.onclick=()=>{const to=!open();steps.forEach(s=>{s.open=to});name()};
steps.forEach(s=>s.addEventListener('toggle',name));
addEventListener('beforeprint',()=>steps.forEach(s=>{s.open=true}));
"""
