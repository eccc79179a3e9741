//! The slow layer of one cluster's picture, and the canvas of the fast one.

use super::curve::Point;
use super::cut::Cut;
use super::cut_mark::cut_mark;
use super::node_mark::{NodeMark, NodeView};
use super::partition_strip::{PartitionView, partition_strip};
use super::ring_track::ring_track;
use super::scene::Scene;
use super::stroke::Stroke;
use crate::session::frame::{ClusterLayout, Layout, LinkUse, NodeFrame};
use crate::ui::app::{Message, NodeAddress, Popup};
use crate::ui::motion::FastLayer;
use crate::ui::shared::Shared;
use crate::ui::view::draw_keyed;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, HtmlCanvasElement, KeyboardEvent, PointerEvent, ResizeObserver, SvgElement};
use yew::prelude::*;

/// A cut that acts now.
#[derive(Clone, PartialEq, Debug)]
pub struct CutView {
    /// The group of each node.
    pub groups: Vec<u8>,
    pub one_way: bool,
    pub label: String,
}

#[derive(Properties, PartialEq)]
pub struct Props {
    pub cluster: u8,
    pub layout: Shared<Layout>,
    pub nodes: Rc<Vec<NodeFrame>>,
    pub cuts: Rc<Vec<CutView>>,
    pub partitions: Rc<Vec<PartitionView>>,
    /// The node that is inspected.
    pub selected: Option<u16>,
    /// Whom that node believes dead.
    pub doubted: Rc<Vec<u16>>,
    /// A touch draws a cut instead of scrolling the page.
    pub is_drawing: bool,
    pub fast: FastLayer,
    pub send: Callback<Message>,
}

pub enum PictureMessage {
    Resized,
    Down(PointerEvent),
    Move(PointerEvent),
    Up(PointerEvent),
    LetGo,
    Open { mark: u16 },
    Key { mark: u16, event: KeyboardEvent },
}

/// The picture of one cluster.
pub struct Picture {
    frame: NodeRef,
    canvas: NodeRef,
    scene: Option<Rc<Scene>>,
    cuts: Rc<Vec<Cut>>,
    stroke: Option<Stroke>,
    /// The mark that the tab key reaches.
    tab_stop: u16,
    observer: Option<(ResizeObserver, Closure<dyn FnMut()>)>,
}

impl Component for Picture {
    type Message = PictureMessage;
    type Properties = Props;

    fn create(_: &Context<Self>) -> Self {
        Picture {
            frame: NodeRef::default(),
            canvas: NodeRef::default(),
            scene: None,
            cuts: Rc::default(),
            stroke: None,
            tab_stop: 0,
            observer: None,
        }
    }

    fn update(&mut self, context: &Context<Self>, message: PictureMessage) -> bool {
        match message {
            PictureMessage::Resized => self.place(context.props()),
            PictureMessage::Down(event) => self.begin_stroke(context.props(), &event),
            PictureMessage::Move(event) => self.extend_stroke(&event),
            PictureMessage::Up(event) => self.end_stroke(context.props(), &event),
            PictureMessage::LetGo => self.stroke.take().is_some(),
            PictureMessage::Open { mark } => {
                self.open(context.props(), mark);
                false
            }
            PictureMessage::Key { mark, event } => self.hear_key(context.props(), mark, &event),
        }
    }

    fn changed(&mut self, context: &Context<Self>, old: &Props) -> bool {
        let props = context.props();
        if props.layout != old.layout {
            self.place(props);
        } else if props.cuts != old.cuts {
            self.cut(props);
        }
        true
    }

    fn rendered(&mut self, context: &Context<Self>, first: bool) {
        if !first {
            return;
        }
        let Some(frame) = self.frame.cast::<Element>() else { return };
        let resized = context.link().callback(|()| PictureMessage::Resized);
        let closure = Closure::<dyn FnMut()>::new(move || resized.emit(()));
        if let Ok(observer) = ResizeObserver::new(closure.as_ref().unchecked_ref()) {
            observer.observe(&frame);
            self.observer = Some((observer, closure));
        }
    }

    fn destroy(&mut self, context: &Context<Self>) {
        if let Some((observer, _)) = self.observer.take() {
            observer.disconnect();
        }
        context.props().fast.remove(context.props().cluster);
    }

    fn view(&self, context: &Context<Self>) -> Html {
        let props = context.props();
        let link = context.link();
        html! {
            <div ref={self.frame.clone()} class={classes!("picture", props.is_drawing.then_some("drawing"))}
                onpointerdown={link.callback(PictureMessage::Down)}
                onpointermove={link.batch_callback({
                    let is_drawn = self.stroke.is_some();
                    move |event| is_drawn.then_some(PictureMessage::Move(event))
                })}
                onpointerup={link.callback(PictureMessage::Up)}
                onpointercancel={link.callback(|_| PictureMessage::LetGo)}>
                if let (Some(scene), Some(cluster)) = (&self.scene, self.cluster(props)) {
                    { self.slow_layer(context, scene, cluster) }
                }
                <canvas ref={self.canvas.clone()} aria-hidden="true"></canvas>
            </div>
        }
    }
}

impl Picture {
    fn cluster<'a>(&self, props: &'a Props) -> Option<&'a ClusterLayout> {
        props.layout.clusters.get(usize::from(props.cluster))
    }

    /// Places everything anew, for the size that the picture has now.
    fn place(&mut self, props: &Props) -> bool {
        let (Some(frame), Some(canvas), Some(cluster)) =
            (self.frame.cast::<Element>(), self.canvas.cast::<HtmlCanvasElement>(), self.cluster(props))
        else {
            return false;
        };
        let (width, height) = (frame.client_width(), frame.client_height());
        if width < 40 || height < 40 {
            return false;
        }
        let scene = Scene::new(cluster, width as f32, height as f32);
        if usize::from(self.tab_stop) >= scene.marks.len() {
            self.tab_stop = 0;
        }
        self.scene = Some(Rc::new(scene));
        props.fast.set_canvas(props.cluster, canvas, width, height);
        self.cut(props);
        true
    }

    fn cut(&mut self, props: &Props) {
        let Some(scene) = &self.scene else { return };
        let cuts = props.cuts.iter().filter_map(|cut| Cut::new(scene, &cut.groups, cut.one_way));
        self.cuts = Rc::new(cuts.collect());
        props.fast.set_scene(props.cluster, scene.clone(), self.cuts.clone());
    }

    fn slow_layer(&self, context: &Context<Self>, scene: &Scene, cluster: &ClusterLayout) -> Html {
        let props = context.props();
        let link = context.link();
        let heading = |heading: &super::scene::Heading| {
            let lines: Vec<&str> =
                if heading.is_split { heading.text.split(' ').collect() } else { vec![heading.text] };
            let line = |(number, text): (usize, &&str)| {
                html! {
                    <text class="heading" x={heading.at.x.to_string()}
                        y={(heading.at.y + 12.0 * number as f32).to_string()}>{ text.to_string() }</text>
                }
            };
            lines.iter().enumerate().map(line).collect::<Html>()
        };
        let node = |(index, mark): (usize, &super::scene::Mark)| {
            let index = index as u16;
            let zone = props.layout.zones.get(usize::from(mark.zone)).map_or("", String::as_str);
            let mut view = NodeView::new(mark, &cluster.nodes, &props.nodes, zone);
            view.is_selected = props.selected.is_some_and(|node| mark.nodes.contains(&node));
            view.is_doubted = mark.nodes.iter().any(|node| props.doubted.contains(node));
            let node = NodeMark {
                id: mark_id(props.cluster, index).into(),
                mark: mark.clone(),
                zone: short_zone(zone).into(),
                view,
                is_tab_stop: index == self.tab_stop,
                on_open: link.callback(move |()| PictureMessage::Open { mark: index }),
                on_key: link.callback(move |event| PictureMessage::Key { mark: index, event }),
            };
            draw_keyed(index, node)
        };
        let label = format!(
            "{}: picture of its nodes. Arrow keys move between nodes, Enter opens one.",
            cluster.name
        );
        html! {
            <svg role="group" aria-label={label} width={scene.width.to_string()} height={scene.height.to_string()}>
                { for scene.headings.iter().map(heading) }
                { ring_track(scene, cluster, props.selected) }
                <g class="links">{ for scene.lines.iter().map(|line| html! {
                    <path class={link_class(line.use_for)} d={line.curve.path()} />
                }) }</g>
                { partition_strip(scene, &props.partitions) }
                { for self.cuts.iter().zip(props.cuts.iter()).map(|(cut, view)| cut_mark(cut, &view.label)) }
                { for scene.marks.iter().enumerate().map(node) }
                if let Some(stroke) = &self.stroke { <path class="stroke" d={stroke.path()} /> }
            </svg>
        }
    }

    /// A mouse or pen draws at once; a finger only where it was asked for, as it also scrolls.
    fn begin_stroke(&mut self, props: &Props, event: &PointerEvent) -> bool {
        let is_on_node = event
            .target()
            .and_then(|target| target.dyn_into::<Element>().ok())
            .and_then(|element| element.closest(".node").ok().flatten())
            .is_some();
        let may_draw = props.is_drawing || event.pointer_type() != "touch";
        if is_on_node && !props.is_drawing || !may_draw || event.button() != 0 {
            return false;
        }
        event.prevent_default();
        if let Some(frame) = self.frame.cast::<Element>() {
            let _ = frame.set_pointer_capture(event.pointer_id());
        }
        self.stroke = self.point(event).map(Stroke::begin);
        true
    }

    fn extend_stroke(&mut self, event: &PointerEvent) -> bool {
        let Some(point) = self.point(event) else { return false };
        match &mut self.stroke {
            Some(stroke) => {
                stroke.extend(point);
                true
            }
            None => false,
        }
    }

    fn end_stroke(&mut self, props: &Props, event: &PointerEvent) -> bool {
        self.extend_stroke(event);
        let (Some(stroke), Some(scene), Some(cluster)) =
            (self.stroke.take(), &self.scene, self.cluster(props))
        else {
            return false;
        };
        if let Some(sides) = stroke.sides(scene) {
            let name = |node: &u16| cluster.nodes[usize::from(*node)].name.clone();
            let sides = sides.map(|side| side.iter().map(name).collect());
            props.send.emit(Message::CutBetween(sides));
        }
        true
    }

    fn point(&self, event: &PointerEvent) -> Option<Point> {
        let frame = self.frame.cast::<Element>()?.get_bounding_client_rect();
        Some(Point::new(
            event.client_x() as f32 - frame.left() as f32,
            event.client_y() as f32 - frame.top() as f32,
        ))
    }

    fn open(&mut self, props: &Props, mark: u16) {
        self.tab_stop = mark;
        let Some(nodes) =
            self.scene.as_ref().and_then(|scene| Some(scene.marks.get(usize::from(mark))?.nodes.clone()))
        else {
            return;
        };
        let place = element(props.cluster, mark).map(|element| element.get_bounding_client_rect());
        let at = place.map_or((0.0, 0.0), |place| (place.right() - 10.0, place.top()));
        let address = NodeAddress { cluster: props.cluster, nodes };
        props.send.emit(Message::OpenPopup(Popup::Node(address), Some(at)));
    }

    fn hear_key(&mut self, props: &Props, mark: u16, event: &KeyboardEvent) -> bool {
        let way = match event.key().as_str() {
            "Enter" | " " => {
                event.prevent_default();
                event.stop_propagation();
                self.open(props, mark);
                return true;
            }
            "ArrowLeft" => (-1.0, 0.0),
            "ArrowRight" => (1.0, 0.0),
            "ArrowUp" => (0.0, -1.0),
            "ArrowDown" => (0.0, 1.0),
            _ => return false,
        };
        event.prevent_default();
        event.stop_propagation();
        let Some(next) = self.scene.as_ref().and_then(|scene| neighbour(scene, mark, way)) else {
            return false;
        };
        self.tab_stop = next;
        if let Some(element) = element(props.cluster, next) {
            let _ = element.unchecked_into::<SvgElement>().focus();
        }
        true
    }
}

/// The nearest mark in a direction; what lies off to the side counts as farther.
fn neighbour(scene: &Scene, from: u16, (dx, dy): (f32, f32)) -> Option<u16> {
    let start = scene.marks.get(usize::from(from))?.at;
    let effort = |at: Point| {
        let (x, y) = (at.x - start.x, at.y - start.y);
        let ahead = x * dx + y * dy;
        let aside = (x * dy - y * dx).abs();
        (ahead > 1.0 && ahead > aside * 0.3).then_some(ahead + aside * 2.0)
    };
    let efforts = scene.marks.iter().enumerate().filter_map(|(index, mark)| Some((index, effort(mark.at)?)));
    efforts.min_by(|one, other| one.1.total_cmp(&other.1)).map(|(index, _)| index as u16)
}

fn mark_id(cluster: u8, mark: u16) -> String {
    format!("node-{cluster}-{mark}")
}

fn element(cluster: u8, mark: u16) -> Option<Element> {
    web_sys::window()?.document()?.get_element_by_id(&mark_id(cluster, mark))
}

/// Two letters of a zone's name fit beside a node: `e1` for `east-1`.
fn short_zone(zone: &str) -> String {
    match zone.split_once('-') {
        Some((name, number)) => name.chars().take(1).chain(number.chars().take(1)).collect(),
        None => zone.chars().take(2).collect(),
    }
}

fn link_class(use_for: LinkUse) -> &'static str {
    match use_for {
        LinkUse::Query => "link query",
        LinkUse::Replication => "link replication",
        LinkUse::HealthCheck => "link health-check",
        LinkUse::Gossip => "link gossip",
    }
}
