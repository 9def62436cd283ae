//! Bar charts, as SVG: those who are compared side by side, one group for each workload.

use std::fmt::Write;

pub struct Chart<'a> {
    pub title: &'a str,
    pub subtitle: &'a str,
    /// Where the scale ends. What is longer is cut, and says so.
    pub end: f64,
    pub groups: Vec<Group>,
}

pub struct Group {
    pub label: String,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub name: String,
    pub value: f64,
    /// The value, as it is to be read.
    pub text: String,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 92.0;
const THICK: f64 = 13.0;
const APART: f64 = 12.0;

fn colour(name: &str) -> &'static str {
    match name {
        "epore" => "#c2410c",
        "rustix" => "#4d7c0f",
        "libc" => "#64748b",
        "mio" => "#1d4ed8",
        "polling" => "#7e22ce",
        _ => "#000000",
    }
}

impl Chart<'_> {
    pub fn svg(&self) -> String {
        let heights = self
            .groups
            .iter()
            .map(|it| it.bars.len() as f64 * THICK + APART);
        let bottom = TOP + heights.sum::<f64>();
        let height = bottom + 24.0;
        let x = |value: f64| LEFT + (WIDTH - LEFT - RIGHT) * value.min(self.end) / self.end;

        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"12\">\n\
             <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        let mut text = |x: f64, y: f64, more: &str, text: &str| {
            let text = escape(text);
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {more}>{text}</text>");
        };
        text(
            16.0,
            28.0,
            "font-size=\"17\" font-weight=\"bold\"",
            self.title,
        );
        text(16.0, 48.0, "fill=\"#444444\"", self.subtitle);
        let bars = self.groups.first().map_or(&[][..], |group| &group.bars);
        for (index, bar) in bars.iter().enumerate() {
            let more = format!("font-weight=\"bold\" fill=\"{}\"", colour(&bar.name));
            text(LEFT + 90.0 * index as f64, 72.0, &more, &bar.name);
        }
        for tick in 0..=4 {
            let value = self.end * f64::from(tick) / 4.0;
            let label = format!("{value}");
            let more = "text-anchor=\"middle\" fill=\"#666666\"";
            text(x(value), bottom + 14.0, more, &label);
        }

        let mut y = TOP;
        for group in &self.groups {
            let middle = y + group.bars.len() as f64 * THICK / 2.0 + 4.0;
            text(LEFT - 10.0, middle, "text-anchor=\"end\"", &group.label);
            for bar in &group.bars {
                let cut = if bar.value > self.end { " ▸" } else { "" };
                let label = format!("{}{cut}", bar.text);
                let more = format!("font-size=\"11\" fill=\"{}\"", colour(&bar.name));
                text(x(bar.value) + 4.0, y + THICK - 3.0, &more, &label);
                y += THICK;
            }
            y += APART;
        }

        for tick in 0..=4 {
            let at = x(self.end * f64::from(tick) / 4.0);
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.1} {:.1}V{bottom:.1}\" stroke=\"#dddddd\"/>",
                TOP - 6.0
            );
        }
        let mut y = TOP;
        for group in &self.groups {
            for bar in &group.bars {
                let length = (x(bar.value) - LEFT).max(1.0);
                let _ = writeln!(
                    svg,
                    "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"{}\"/>",
                    THICK - 2.0,
                    colour(&bar.name)
                );
                y += THICK;
            }
            y += APART;
        }
        let at = x(1.0);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {:.1}V{bottom:.1}\" stroke=\"#000000\" stroke-dasharray=\"4 3\"/>\n</svg>",
            TOP - 6.0
        );
        svg
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
