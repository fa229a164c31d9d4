//! ResNets: He et al. 2016, "Deep residual learning for image recognition".

use super::builder::{Builder, Conv, Feature};
use super::{ArchitectureError, Shortcut};

/// A ResNet for CIFAR: three stages of `(depth − 2) / 6` basic blocks, with 16, 32 and 64 channels.
pub(super) fn cifar(builder: &mut Builder<'_>, depth: usize, shortcut: Shortcut) -> Result<(), ArchitectureError> {
    let image = builder.input();
    let mut x = stem(builder, image, Conv { filters: builder.width(16), kernel: 3, stride: 1 })?;
    for (stage, channels) in [16, 32, 64].into_iter().enumerate() {
        for index in 0..(depth - 2) / 6 {
            let block = Block {
                name: format!("layer{}.{index}", stage + 1),
                channels: builder.width(channels),
                stride: if stage > 0 && index == 0 { 2 } else { 1 },
            };
            let projects = match shortcut {
                Shortcut::A => false,
                Shortcut::Projection => block.stride > 1,
                Shortcut::Paper => index == 0,
            };
            let branch = basic(builder, &block, x)?;
            let around = match projects {
                true => projection(builder, &format!("{}.shortcut", block.name), x, branch.channels, block.stride)?,
                false => builder.pad_shortcut(&format!("{}.shortcut", block.name), x, branch.channels, block.stride),
            };
            x = join(builder, &block, branch, around);
        }
    }
    let x = builder.global_average_pool("avgpool", x);
    builder.linear("linear", x)
}

/// ResNet-18 for ImageNet: four stages of two basic blocks.
pub(super) fn resnet18(builder: &mut Builder<'_>) -> Result<(), ArchitectureError> {
    imagenet(builder, [2, 2, 2, 2], 1, basic)
}

/// ResNet-50 for ImageNet: four stages of bottleneck blocks, which have four times the channels outside.
pub(super) fn resnet50(builder: &mut Builder<'_>) -> Result<(), ArchitectureError> {
    imagenet(builder, [3, 4, 6, 3], 4, bottleneck)
}

/// Makes the residual branch of a block.
type Branch = fn(&mut Builder<'_>, &Block, Feature) -> Result<Feature, ArchitectureError>;

fn imagenet(
    builder: &mut Builder<'_>,
    blocks: [usize; 4],
    expansion: usize,
    branch: Branch,
) -> Result<(), ArchitectureError> {
    let image = builder.input();
    let x = stem(builder, image, Conv { filters: builder.width(64), kernel: 7, stride: 2 })?;
    let mut x = builder.max_pool("maxpool", x, 3);
    for (stage, count) in blocks.into_iter().enumerate() {
        for index in 0..count {
            let block = Block {
                name: format!("layer{}.{index}", stage + 1),
                channels: builder.width(64 << stage),
                stride: if stage > 0 && index == 0 { 2 } else { 1 },
            };
            let inner = branch(builder, &block, x)?;
            debug_assert_eq!(inner.channels, block.channels * expansion);
            let around = match block.stride > 1 || x.channels != inner.channels {
                true => projection(builder, &format!("{}.downsample", block.name), x, inner.channels, block.stride)?,
                false => x,
            };
            x = join(builder, &block, inner, around);
        }
    }
    let x = builder.global_average_pool("avgpool", x);
    builder.linear("fc", x)
}

struct Block {
    name: String,
    channels: usize,
    stride: usize,
}

fn stem(builder: &mut Builder<'_>, image: Feature, conv: Conv) -> Result<Feature, ArchitectureError> {
    let x = builder.conv("conv1", image, conv)?;
    let x = builder.batch_norm("bn1", x);
    Ok(builder.relu("relu", x))
}

/// Two 3×3 convolutions.
fn basic(builder: &mut Builder<'_>, block: &Block, x: Feature) -> Result<Feature, ArchitectureError> {
    let (filters, kernel) = (block.channels, 3);
    let x = conv_bn(builder, block, 1, x, Conv { filters, kernel, stride: block.stride })?;
    let x = builder.relu(&format!("{}.relu1", block.name), x);
    conv_bn(builder, block, 2, x, Conv { filters, kernel, stride: 1 })
}

/// 1×1, 3×3 with the stride, 1×1 to four times the channels.
fn bottleneck(builder: &mut Builder<'_>, block: &Block, x: Feature) -> Result<Feature, ArchitectureError> {
    let filters = block.channels;
    let x = conv_bn(builder, block, 1, x, Conv { filters, kernel: 1, stride: 1 })?;
    let x = builder.relu(&format!("{}.relu1", block.name), x);
    let x = conv_bn(builder, block, 2, x, Conv { filters, kernel: 3, stride: block.stride })?;
    let x = builder.relu(&format!("{}.relu2", block.name), x);
    conv_bn(builder, block, 3, x, Conv { filters: 4 * filters, kernel: 1, stride: 1 })
}

fn conv_bn(
    builder: &mut Builder<'_>,
    block: &Block,
    number: usize,
    x: Feature,
    conv: Conv,
) -> Result<Feature, ArchitectureError> {
    let x = builder.conv(&format!("{}.conv{number}", block.name), x, conv)?;
    Ok(builder.batch_norm(&format!("{}.bn{number}", block.name), x))
}

/// The shortcut with a 1×1 convolution.
fn projection(
    builder: &mut Builder<'_>,
    name: &str,
    x: Feature,
    filters: usize,
    stride: usize,
) -> Result<Feature, ArchitectureError> {
    let x = builder.conv(&format!("{name}.0"), x, Conv { filters, kernel: 1, stride })?;
    Ok(builder.batch_norm(&format!("{name}.1"), x))
}

fn join(builder: &mut Builder<'_>, block: &Block, branch: Feature, around: Feature) -> Feature {
    let sum = builder.add(&format!("{}.add", block.name), branch, around);
    builder.relu(&format!("{}.relu", block.name), sum)
}
